//! What is known of the program's surroundings without being told.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::thread;

use serde_json::{Map, Value, json};

/// The contexts that every transaction is sent with.
///
/// This asks the system and reads a file: once per client, never per transaction.
pub(crate) fn default_contexts() -> BTreeMap<Cow<'static, str>, Value> {
    let mut device = Map::new();
    device.insert("arch".to_owned(), std::env::consts::ARCH.into());
    if let Ok(count) = thread::available_parallelism() {
        device.insert("processor_count".to_owned(), count.get().into());
    }
    let runtime = json!({ "name": "rustc", "version": env!("TASKSPAN_RUSTC_VERSION") });
    BTreeMap::from([
        ("device".into(), device.into()),
        ("os".into(), os().into()),
        ("runtime".into(), runtime),
    ])
}

/// The name of the host, where the system has one.
pub(crate) fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = Some(text(rustix::system::uname().nodename()));
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").ok();
    name.filter(|name| !name.is_empty())
}

#[cfg(unix)]
fn os() -> Map<String, Value> {
    let uname = rustix::system::uname();
    let release = text(uname.release());
    let (version, build) = match release.split_once('-') {
        Some((version, build)) => (version, Some(build.to_owned())),
        None => (release.as_str(), None),
    };
    let mut os = Map::new();
    os.insert("name".to_owned(), text(uname.sysname()).into());
    os.insert("version".to_owned(), version.into());
    if let Some(build) = build {
        os.insert("build".to_owned(), build.into());
    }
    os.insert("kernel_version".to_owned(), release.into());
    #[cfg(target_os = "linux")]
    os.extend(distribution::read());
    os
}

#[cfg(not(unix))]
fn os() -> Map<String, Value> {
    Map::from_iter([("name".to_owned(), std::env::consts::OS.into())])
}

#[cfg(unix)]
fn text(text: &std::ffi::CStr) -> String {
    text.to_string_lossy().into_owned()
}

#[cfg(target_os = "linux")]
mod distribution {
    use std::fs::File;
    use std::io::Read;

    use serde_json::Value;

    /// Files of this kind have a few hundred bytes.
    const MAX_BYTES: u64 = 16 * 1024;

    /// Reads which distribution this is, where the system has a file that tells.
    pub(crate) fn read() -> Vec<(String, Value)> {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| {
                let mut bytes = Vec::new();
                let file = File::open(path).ok()?;
                file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            });
        text.map_or_else(Vec::new, |text| parse(&text))
    }

    /// Takes from the text of such a file what servers know.
    pub(crate) fn parse(text: &str) -> Vec<(String, Value)> {
        text.lines()
            .filter_map(|line| {
                let (key, value) = line.trim().split_once('=')?;
                let key = match key {
                    "ID" => "distribution_name",
                    "VERSION_ID" => "distribution_version",
                    "PRETTY_NAME" => "distribution_pretty_name",
                    _ => return None,
                };
                let value = unquote(value);
                (!value.is_empty()).then(|| (key.to_owned(), value.into()))
            })
            .collect()
    }

    /// Undoes the quotes and backslashes that a shell would.
    fn unquote(value: &str) -> String {
        let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
        if let Some(literal) = quoted('\'') {
            return literal.to_owned();
        }
        let mut escaped = false;
        let value = quoted('"').unwrap_or(value).chars();
        value
            .filter(|&c| {
                escaped = c == '\\' && !escaped;
                !escaped
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contexts_tell_system_compiler_and_device() {
        let contexts = default_contexts();
        let field = |context: &str, field: &str| contexts[context][field].clone();
        for (context, name) in [
            ("os", "name"),
            ("runtime", "version"),
            ("device", "arch"),
            #[cfg(unix)]
            ("os", "kernel_version"),
        ] {
            let value = field(context, name);
            let text = value.as_str().unwrap();
            assert!(!text.is_empty() && text != "unknown", "{context}.{name}");
        }
        assert_eq!(field("runtime", "name"), "rustc");
        assert!(field("device", "processor_count").as_u64().unwrap() > 0);
    }

    #[test]
    fn the_host_has_a_name() {
        assert_ne!(host_name().as_deref(), Some(""));
        #[cfg(target_os = "linux")]
        assert!(host_name().is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_distribution_is_read() {
        let text = r#"
            # comment
            NAME="Other"
            ID=debian
            ID_LIKE=other
            VERSION_ID='12'
            PRETTY_NAME="A \"fine\" \\ system"
            VERSION_ID
        "#;
        let fields = [
            ("distribution_name", "debian"),
            ("distribution_version", "12"),
            ("distribution_pretty_name", r#"A "fine" \ system"#),
        ];
        let fields = fields.map(|(key, value)| (key.to_owned(), value.into()));
        assert_eq!(distribution::parse(text), fields);
        for (text, value) in [("ID=\"", "\""), ("ID=a\\", "a"), ("ID='a", "'a")] {
            assert_eq!(distribution::parse(text)[0].1, value, "{text}");
        }
        assert!(distribution::parse("ID=\nVERSION_ID=\"\"\n").is_empty());
    }
}
