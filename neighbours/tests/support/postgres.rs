//! A real PostgreSQL, in a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{env, fs};

use crate::database_folder::{command_of, new_database};
use crate::server_process::{ServerProcess, free_address};

/// A server that runs until it is killed or dropped.
pub(crate) struct Postgres {
    pub(crate) address: SocketAddr,
    process: ServerProcess,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let process = |address| {
            ServerProcess::start(address, |folder, address| {
                let data = new_database(folder, program("postgres"), ACCOUNT, |data| {
                    let mut command = command_of(ACCOUNT, program("initdb"));
                    let settings = ["-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "-D"];
                    command.args(settings).arg(data);
                    command
                });
                let mut command = command_of(ACCOUNT, program("postgres"));
                command.arg("-D").arg(data).arg("-k").arg(folder);
                command.args(["-h", "127.0.0.1", "-c", "fsync=off"]);
                command.arg("-p").arg(address.port().to_string());
                command
            })
        };
        let address = free_address();
        Self {
            address,
            process: process(address),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}:not-to-be-told@{}/postgres", self.address)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// Where the program is: in the PATH, or where Debian has it.
fn program(name: &str) -> PathBuf {
    let in_path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&in_path).collect::<Vec<_>>();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.map(|version| version.unwrap().path().join("bin"));
    let mut folders = debian.chain(in_path);
    let folder = folders.find(|folder| folder.join(name).exists());
    folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

const ACCOUNT: &str = "postgres";
const USER: &str = "the-user";
