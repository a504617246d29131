//! Paths of source files.

/// The part of a path from the folder of the package on: what is before it is of no use elsewhere.
pub(crate) fn from_package_on(file: &str) -> String {
    let is_separator = |c: char| c == '/' || c == '\\';
    let mut start = 0;
    let starts = file.split(is_separator).map(|part| {
        let at = start;
        start += part.len() + 1;
        (at, part)
    });
    let starts: Vec<_> = starts.collect();
    let last = |roots: &[&str]| starts.iter().rposition(|(_, part)| roots.contains(part));
    // Where no such folder is known, the file is told with the one that it is in.
    let root = last(&["src"]).or_else(|| last(&ROOTS));
    let root = root.unwrap_or(starts.len() - 1);
    let package = root.checked_sub(1).unwrap_or(root);
    let path = file[starts[package].0..].trim_start_matches(is_separator);
    path.replace('\\', "/")
}

/// The folders of a package in which its code is, when it is not in `src`.
const ROOTS: [&str; 3] = ["benches", "examples", "tests"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_with_the_folder_of_the_package() {
        let table = [
            ("/home/me/work/app/src/main.rs", "app/src/main.rs"),
            ("/usr/src/app/src/db/items.rs", "app/src/db/items.rs"),
            (r"C:\Users\me\app\src\main.rs", "app/src/main.rs"),
            ("/home/me/app/tests/db.rs", "app/tests/db.rs"),
            (
                "/home/me/app/src/db/tests/items.rs",
                "app/src/db/tests/items.rs",
            ),
            ("/src/main.rs", "src/main.rs"),
            ("src/main.rs", "src/main.rs"),
            ("/home/me/app/build.rs", "app/build.rs"),
            ("main.rs", "main.rs"),
            ("/", ""),
            ("", ""),
        ];
        for (file, told) in table {
            assert_eq!(from_package_on(file), told, "{file}");
        }
    }
}
