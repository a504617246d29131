//! A real proxy, `tinyproxy`, in a process of its own.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::server_process::ServerProcess;

/// A proxy that runs until it is dropped.
pub(crate) struct Tinyproxy {
    pub(crate) address: SocketAddr,
    process: ServerProcess,
}

impl Tinyproxy {
    /// Starts a proxy, with further lines of its configuration.
    pub(crate) fn start(address: SocketAddr, settings: &str) -> Self {
        let process = ServerProcess::start(address, |folder, address| {
            let configuration = folder.join("tinyproxy.conf");
            let (ip, port) = (address.ip(), address.port());
            let text =
                format!("Listen {ip}\nPort {port}\nTimeout 20\nLogLevel Connect\n{settings}\n");
            fs::write(&configuration, text).unwrap();
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(configuration);
            command
        });
        Self { address, process }
    }

    /// The requests that it was asked for, such as `CONNECT host:1 HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.process.log();
        let lines = log.lines().filter(|line| line.contains("Request (file"));
        lines
            .filter_map(|line| Some(line.split_once("): ")?.1.to_owned()))
            .collect()
    }
}
