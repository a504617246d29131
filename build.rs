//! Tells the crate which compiler it is built by.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let version = rustc_version().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=TASKSPAN_RUSTC_VERSION={version}");
}

/// The version of the compiler, such as `1.95.0` or `1.97.0-nightly`.
fn rustc_version() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?)
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.strip_prefix("rustc ")?.split_whitespace().next()?;
    Some(version.to_owned())
}
