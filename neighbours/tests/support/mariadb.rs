//! A real MariaDB, in a process of its own.

use std::net::SocketAddr;
use std::process::Command;

use crate::database_folder::{command_of, new_database};
use crate::server_process::{ServerProcess, free_address};

/// A server that runs until it is killed or dropped.
pub(crate) struct MariaDb {
    pub(crate) address: SocketAddr,
    process: ServerProcess,
}

impl MariaDb {
    pub(crate) fn start() -> Self {
        let address = free_address();
        let process = ServerProcess::start(address, |folder, address| {
            let data = new_database(folder, program(), ACCOUNT, |data| {
                let mut command = command_of(ACCOUNT, "mariadb-install-db");
                let settings = ["--no-defaults", "--skip-test-db"];
                command
                    .args(settings)
                    .arg("--auth-root-authentication-method=normal");
                command.arg(format!("--datadir={}", data.display()));
                command
            });
            let mut command = command_of(ACCOUNT, program());
            command.arg("--no-defaults");
            command.arg(format!("--datadir={}", data.display()));
            command.arg(format!("--socket={}", folder.join("socket").display()));
            command.arg(format!("--port={}", address.port()));
            command.args([
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=0",
            ]);
            command
        });
        Self { address, process }
    }

    pub(crate) fn url(&self) -> String {
        format!("mysql://root@{}/mysql", self.address)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// It is where ordinary users don't look for programs.
fn program() -> &'static str {
    let found = Command::new("mariadbd").arg("--version").output();
    if found.is_ok() {
        "mariadbd"
    } else {
        "/usr/sbin/mariadbd"
    }
}

const ACCOUNT: &str = "mysql";
