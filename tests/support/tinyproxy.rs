//! A real proxy, `tinyproxy`, in a process of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A proxy that runs until it is dropped.
pub(crate) struct Tinyproxy {
    pub(crate) address: SocketAddr,
    log: PathBuf,
    process: Child,
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
    reserved.local_addr().unwrap()
}

impl Tinyproxy {
    /// Starts a proxy, with further lines of its configuration.
    pub(crate) fn start(address: SocketAddr, settings: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "{}-{}",
            std::process::id(),
            address.port()
        ));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join("log");
        let _ = fs::remove_file(&log);
        let configuration = folder.join("tinyproxy.conf");
        let (ip, port) = (address.ip(), address.port());
        let text = format!(
            "Listen {ip}\nPort {port}\nTimeout 20\nLogLevel Connect\nLogFile \"{}\"\n{settings}\n",
            log.display()
        );
        fs::write(&configuration, text).unwrap();
        let process = Command::new("tinyproxy")
            .arg("-d")
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`tinyproxy` is not installed, which `./test` does");
        let proxy = Self {
            address,
            log,
            process,
        };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "no proxy");
            sleep(Duration::from_millis(2));
        }
        proxy
    }

    /// The requests that it was asked for, such as `CONNECT host:1 HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines = log.lines().filter(|line| line.contains("Request (file"));
        lines
            .filter_map(|line| Some(line.split_once("): ")?.1.to_owned()))
            .collect()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
