//! Folders with a new database in them, which take a second to make and are copied then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder `data` in another one: a copy of what `make` has once put into a folder, for this
/// version of the server.
///
/// It belongs to `account` if this runs as root, since servers don't.
pub(crate) fn new_database(
    folder: &Path,
    server: impl AsRef<Path>,
    account: &str,
    make: impl FnOnce(&Path) -> Command,
) -> PathBuf {
    let version = run(Command::new(server.as_ref()).arg("--version"));
    let version = version.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(version);
    if !template.exists() {
        // In a place of its own, as others may do the same at the same time.
        let new = template.with_extension(std::process::id().to_string());
        let _ = fs::remove_dir_all(&new);
        fs::create_dir_all(&new).unwrap();
        give_to(&new, account);
        run(&mut make(&new.join("data")));
        if fs::rename(&new, &template).is_err() {
            fs::remove_dir_all(&new).unwrap();
        }
    }
    let data = folder.join("data");
    run(Command::new("cp")
        .arg("-a")
        .arg(template.join("data"))
        .arg(&data));
    give_to(folder, account);
    data
}

/// A program that runs as this account, if this runs as root.
pub(crate) fn command_of(account: &str, program: impl AsRef<Path>) -> Command {
    let program = program.as_ref();
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={account}"))
        .arg(format!("--regid={account}"))
        .arg("--init-groups")
        .arg(program);
    command
}

fn give_to(folder: &Path, account: &str) {
    if is_root() {
        run(Command::new("chown").arg(format!("{account}:")).arg(folder));
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Runs a program to its end, and tells what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
