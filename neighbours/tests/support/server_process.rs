//! Real servers, each in a process and a folder of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{env, fs};

/// A server that runs until it is killed or dropped.
pub(crate) struct ServerProcess {
    /// Where it keeps its data, gone when this is dropped.
    pub(crate) folder: PathBuf,
    process: Child,
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    reserved.local_addr().unwrap()
}

impl ServerProcess {
    /// Starts what `command` makes of a new folder and the address, and waits until it listens.
    ///
    /// What it prints is in the file `log` of its folder.
    pub(crate) fn start(
        address: SocketAddr,
        command: impl FnOnce(&Path, SocketAddr) -> Command,
    ) -> Self {
        // Where servers get to that run as somebody else, with room for the name of a socket.
        let name = format!("taskspan-{}-{}", std::process::id(), address.port());
        let folder = env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let mut command = command(&folder, address);
        let log = fs::File::create(folder.join("log")).unwrap();
        let process = command
            .current_dir(&folder)
            .env("TMPDIR", &folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let program = command.get_program().display();
        let process = process.unwrap_or_else(|error| {
            panic!("{program}, which `./test` installs, does not start: {error}")
        });
        let mut server = Self { folder, process };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.process.try_wait().unwrap();
            let late = start.elapsed() > Duration::from_secs(30);
            assert!(!late && ended.is_none(), "{program}: {}", server.log());
            sleep(Duration::from_millis(2));
        }
        server
    }

    /// What it has printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
