//! Folders with a new database in them, which take a second to make and are copied then.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

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
        // In a place of its own, where the account gets to.
        let id = std::process::id();
        let new = env::temp_dir().join(format!("taskspan-new-{id}"));
        let _ = fs::remove_dir_all(&new);
        fs::create_dir(&new).unwrap();
        give_to(&new, account);
        let mut making = make(&new.join("data"));
        run(making.current_dir(&new).env("TMPDIR", &new));

        // Others may do the same at the same time, so it is there at once or not at all.
        let copy = template.with_extension(id.to_string());
        copy_all(&new, &copy);
        fs::remove_dir_all(&new).unwrap();
        if fs::rename(&copy, &template).is_err() {
            fs::remove_dir_all(&copy).unwrap();
        }
    }
    let data = folder.join("data");
    copy_all(&template.join("data"), &data);
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

fn copy_all(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
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
