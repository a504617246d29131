//! The place in the program's code that a call was made from.
//!
//! Where a call ends only the way back is written down, as bare addresses, which takes some
//! microseconds. What they stand for is looked up in the debug information of the program where
//! its transaction is put together. That takes as long as it takes to read all of it, once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError, RwLock};

use super::source_path::from_package_on;
use crate::protocol::Data;

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallSite {
    /// `None` if there is no more than a name that the compiler has made.
    function: Option<String>,
    /// `None` without debug information.
    file: Option<String>,
    line: Option<u32>,
}

/// What is at an address.
#[derive(Clone)]
enum Found {
    /// The program's own code, as far as that can be told.
    Program(CallSite),
    Library,
}

/// Writes down the way back from here, unless somebody reads debug information at the moment.
pub(crate) fn capture(bytes: &mut Vec<u8>) {
    // Whoever does that may hold the lock that all traces are taken under.
    let Ok(_nobody_reads) = READING.try_read() else {
        return;
    };
    let mut frames = 0;
    backtrace::trace(|frame| {
        bytes.extend_from_slice(&(frame.ip() as usize).to_ne_bytes());
        frames += 1;
        frames < MAX_FRAMES
    });
}

impl CallSite {
    /// Finds the innermost place on the way back that is none of a library's. It may take long.
    pub(crate) fn resolve(bytes: &[u8]) -> Option<Self> {
        let mut named = None;
        for address in bytes.as_chunks().0 {
            match look_up(usize::from_ne_bytes(*address)) {
                Found::Program(site) if site.file.is_some() => return Some(site),
                // If its file is not known it may be a library's that is not known either.
                Found::Program(site) => named = named.or(Some(site)),
                Found::Library => {}
            }
        }
        named
    }

    /// Says it in the data of a span.
    pub(crate) fn note(&self, data: &mut Data) {
        // Strings and numbers are always taken.
        if let Some(function) = &self.function {
            let _ = data.insert("code.function.name", function);
        }
        if let Some(file) = &self.file {
            let _ = data.insert("code.file.path", file);
        }
        if let Some(line) = self.line {
            let _ = data.insert("code.line.number", &line);
        }
    }

    /// `None` if it is in a library.
    fn of(symbol: &backtrace::Symbol) -> Option<Self> {
        // Without the hash at its end.
        let name = symbol.name().map(|name| format!("{name:#}"));
        let name = name.as_deref().unwrap_or_default();
        let file = symbol.filename().map(|file| file.to_string_lossy());
        if is_library(name, file.as_deref()) {
            return None;
        }
        Some(Self {
            function: function(name).map(str::to_owned),
            line: file.as_ref().and_then(|_| symbol.lineno()),
            file: file.map(|file| from_package_on(&file)),
        })
    }
}

/// Tells what is at an address, which is looked up once.
fn look_up(address: usize) -> Found {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(&address) {
        return found.clone();
    }
    let mut site: Option<CallSite> = None;
    {
        let _reading = READING.write().unwrap_or_else(PoisonError::into_inner);
        // Functions that were inlined there come first.
        backtrace::resolve(address as *mut _, |symbol| {
            let known = site.as_ref().is_some_and(|site| site.file.is_some());
            if !known && let Some(found) = CallSite::of(symbol) {
                site = Some(found);
            }
        });
    }
    let found = site.map_or(Found::Library, Found::Program);
    if known.len() >= MAX_KNOWN {
        known.clear();
    }
    known.insert(address, found.clone());
    found
}

/// Whether it is a function that calls go through, or none in Rust.
fn is_library(name: &str, file: Option<&str>) -> bool {
    if file.is_some_and(is_library_file) {
        return true;
    }
    let own = name.trim_start_matches(['<', '&', '*', '(', '[']);
    let own = ["mut ", "const ", "dyn "]
        .iter()
        .fold(own, |own, word| own.strip_prefix(word).unwrap_or(own));
    // Of an implementation for any type, the trait says whose it is.
    let own = match own.split_once(" as ") {
        Some((own, of_trait)) if !own.contains("::") => of_trait,
        _ => own,
    };
    let Some((root, _)) = without_generics(own).split_once("::") else {
        // Debug information may have no more than a name. Its file says whose it is.
        return file.is_none();
    };
    LIBRARIES.contains(&root)
}

/// Whether the file belongs to what Cargo, Rust or the system brought, or to this crate.
fn is_library_file(file: &str) -> bool {
    let file = file.replace('\\', "/");
    if !file.ends_with(".rs") {
        return true;
    }
    let starts = ["/rustc/", concat!(env!("CARGO_MANIFEST_DIR"), "/src/")];
    let parts = [
        "/registry/src/",
        "/git/checkouts/",
        "/rustlib/src/",
        "/vendor/",
    ];
    starts.iter().any(|start| file.starts_with(start))
        || parts.iter().any(|part| file.contains(part))
}

/// The function that a closure or an `async` block is part of.
fn function(mut name: &str) -> Option<&str> {
    while let Some((function, _)) = name.rsplit_once("::{") {
        name = function;
    }
    name = without_generics(name);
    (!name.is_empty() && !name.starts_with('{')).then_some(name)
}

/// A name without the generic arguments at its end, `load` for `load<app::Items>`.
fn without_generics(name: &str) -> &str {
    match name.split_once('<') {
        Some((function, _)) if !function.is_empty() && name.ends_with('>') => {
            function.trim_end_matches("::")
        }
        _ => name,
    }
}

/// Held by those who look something up, and for a moment by those who write addresses down.
static READING: RwLock<()> = RwLock::new(());

/// What was found at the addresses so far.
static KNOWN: LazyLock<Mutex<HashMap<usize, Found>>> = LazyLock::new(Mutex::default);

/// A program has fewer calls that matter.
const MAX_KNOWN: usize = 10_000;

/// What is deeper on the stack is not looked at: the caller is near its top.
const MAX_FRAMES: usize = 128;

/// Crates that stand between a call and the code that makes it. It is only where there is no debug
/// information, or where their sources are kept with the program's, that nothing else tells.
const LIBRARIES: [&str; 27] = [
    "alloc",
    "async_stream",
    "backtrace",
    "core",
    "futures",
    "futures_channel",
    "futures_core",
    "futures_executor",
    "futures_util",
    "hyper",
    "hyper_util",
    "pin_project",
    "redis",
    "reqwest",
    "sqlx",
    "sqlx_core",
    "sqlx_mysql",
    "sqlx_postgres",
    "sqlx_sqlite",
    "std",
    "taskspan",
    "tokio",
    "tokio_stream",
    "tokio_util",
    "tonic",
    "tower",
    "tracing",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_from_programs() {
        let libraries = [
            "core::ops::function::FnOnce::call_once",
            "<core::pin::Pin<P> as core::future::future::Future>::poll",
            "<&mut sqlx_core::Pool<DB> as sqlx_core::executor::Executor>::fetch_many",
            "<F as futures_core::future::TryFuture>::try_poll",
            "<tokio::time::timeout::Timeout<app::Load> as core::future::Future>::poll",
            "core::pin::Pin<app::Load>::poll",
            "__rust_begin_short_backtrace",
            "main",
        ];
        let programs = [
            "app::main::{{closure}}",
            "<app::Load as core::future::future::Future>::poll",
            "<app::Items<T>>::load",
            "app::load::<redis::Client>",
            "core_api::load",
            "tokio2::load",
        ];
        for name in libraries {
            assert!(is_library(name, None), "{name}");
        }
        for name in programs {
            assert!(!is_library(name, None), "{name}");
        }
        for name in ["load", "load<redis::Client>", "{async_fn#0}<redis::Client>"] {
            assert!(is_library(name, None), "{name}");
            assert!(!is_library(name, Some("/app/src/main.rs")), "{name}");
            assert!(is_library(
                name,
                Some("/home/me/.cargo/registry/src/a/src/lib.rs")
            ));
        }
    }

    #[test]
    fn files_of_libraries_are_told_from_those_of_programs() {
        let libraries = [
            "/home/me/.cargo/registry/src/example-1/sqlx-0.9.0/src/lib.rs",
            r"C:\Users\me\.cargo\git\checkouts\sqlx-1\2\src\lib.rs",
            "/rustc/59807616e1fa/library/core/src/future/future.rs",
            "/home/me/app/vendor/tokio/src/lib.rs",
            "nptl/pthread_create.c",
        ];
        assert!(libraries.iter().all(|file| is_library_file(file)));
        for file in ["/home/me/app/src/main.rs", "src/main.rs"] {
            assert!(!is_library_file(file), "{file}");
        }
        assert!(is_library_file(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/lib.rs"
        )));
    }

    #[test]
    fn closures_are_part_of_their_function() {
        let table = [
            ("app::load::{{closure}}::{{closure}}", Some("app::load")),
            ("app::load::{closure#0}", Some("app::load")),
            ("app::load::<app::Items>::{closure#0}", Some("app::load")),
            ("app::load", Some("app::load")),
            (
                "<app::Load as core::future::Future>::poll",
                Some("<app::Load as core::future::Future>::poll"),
            ),
            (
                "app::load::<app::Items>::item",
                Some("app::load::<app::Items>::item"),
            ),
            ("load<app::Items>", Some("load")),
            ("", None),
            ("{async_fn#0}<app::Items>", None),
            ("{async_fn#0}", None),
        ];
        for (name, expected) in table {
            assert_eq!(function(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_address_is_nowhere() {
        assert_eq!(CallSite::resolve(&[1; 99]), None);
        assert_eq!(CallSite::resolve(&[]), None);
    }
}
