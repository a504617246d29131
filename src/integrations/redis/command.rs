//! What may be told of a command: its name, its keys, and never a value.

use std::fmt::Write as _;
use std::iter;

use redis::{Arg, Cmd};

use super::keys::Keys;
use crate::protocol::fields::shortened;

/// A command on its way to the server.
pub(super) struct Command<'a> {
    /// In upper case, with the word that belongs to it: `GET`, `CONFIG SET`.
    pub(super) name: String,
    /// What comes after that.
    pub(super) args: Vec<&'a [u8]>,
    keys: Keys,
}

impl<'a> Command<'a> {
    pub(super) fn new(mut args: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut name = args.next().and_then(word).unwrap_or_else(|| "?".to_owned());
        let mut args: Vec<_> = args.collect();
        if CONTAINERS.contains(&name.as_str())
            && let Some(second) = args.first().copied().and_then(word)
        {
            name = format!("{name} {second}");
            args.remove(0);
        }
        Self {
            keys: Keys::of(&name, &args),
            name,
            args,
        }
    }

    /// A command of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self::new(iter::empty())
    }

    /// The keys that the command names.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a [u8]> {
        let args = self.args.iter().enumerate();
        args.filter(|(index, _)| self.keys.contains(*index))
            .map(|(_, key)| *key)
    }

    /// The same as text, as far as there is room for them.
    pub(super) fn key_texts(&self) -> impl Iterator<Item = String> {
        self.keys().take(MAX_KEYS).map(key_text)
    }

    /// Name and keys. What stands between those is a `?`, however much it is.
    pub(super) fn describe(&self, text: &mut String) {
        text.push_str(&self.name);
        if self.keys().next().is_none() {
            return;
        }
        let (mut keys, mut after_value) = (0, false);
        for (index, arg) in self.args.iter().enumerate() {
            if self.keys.contains(index) {
                if keys == MAX_KEYS {
                    text.push_str(" …");
                    return;
                }
                // Writing to a string can't fail.
                let _ = write!(text, " {}", key_text(arg));
                keys += 1;
            } else if !after_value {
                text.push_str(" ?");
            }
            after_value = !self.keys.contains(index);
        }
    }
}

impl<'a> From<&'a Cmd> for Command<'a> {
    fn from(command: &'a Cmd) -> Self {
        Self::new(command.args_iter().map(|arg| match arg {
            Arg::Simple(bytes) => bytes,
            // Where a cursor stands, which is no key.
            _ => b"0",
        }))
    }
}

/// Describes the commands of a pipeline, as far as there is room for them.
pub(super) fn describe_all<'a>(
    commands: impl Iterator<Item = Command<'a>>,
    count: usize,
) -> String {
    let mut text = String::new();
    for (index, command) in commands.enumerate() {
        if index > 0 {
            text.push_str("; ");
        }
        if index == MAX_COMMANDS || text.len() > MAX_BYTES {
            // Writing to a string can't fail.
            let _ = write!(text, "{} more", count - index);
            break;
        }
        command.describe(&mut text);
    }
    text
}

/// A key as text. Of a long one it is the beginning.
fn key_text(key: &[u8]) -> String {
    // So many bytes are more characters than are told. Nobody looks at a megabyte of them.
    let enough = key.len().min(4 * (MAX_KEY_CHARACTERS + 1));
    shortened(&String::from_utf8_lossy(&key[..enough]), MAX_KEY_CHARACTERS)
}

/// A word of a command in upper case, unless it is none.
fn word(arg: &[u8]) -> Option<String> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let is_word = !arg.is_empty() && arg.len() <= 32 && arg.iter().all(is_part);
    is_word.then(|| String::from_utf8_lossy(arg).to_ascii_uppercase())
}

/// Commands whose second word is part of the name.
const CONTAINERS: [&str; 16] = [
    "ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY",
    "MODULE", "OBJECT", "PUBSUB", "SCRIPT", "SLOWLOG", "XGROUP", "XINFO",
];

/// How many keys of a command are told.
const MAX_KEYS: usize = 20;

/// How much of a key is told.
const MAX_KEY_CHARACTERS: usize = 200;

/// How many commands of a pipeline are told.
const MAX_COMMANDS: usize = 10;

/// How long the description of a pipeline is when no further command is told.
const MAX_BYTES: usize = 1_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(words: &[&str]) -> Cmd {
        let mut command = Cmd::new();
        command.arg(words);
        command
    }

    fn described(command: &Cmd) -> String {
        let mut text = String::new();
        Command::from(command).describe(&mut text);
        text
    }

    #[test]
    fn a_command_is_told_without_its_values() {
        let table = [
            ("get a", "GET a"),
            ("SET a 1 EX 10", "SET a ?"),
            ("HSET a f 1 g 2", "HSET a ?"),
            ("MGET a b", "MGET a b"),
            ("MSET a 1 b 2", "MSET a ? b ?"),
            ("DEL a b c", "DEL a b c"),
            ("RENAME a b", "RENAME a b"),
            ("BLPOP a b 5", "BLPOP a b ?"),
            ("BITOP AND a b c", "BITOP ? a b c"),
            ("ZUNIONSTORE a 2 b c WEIGHTS 1 2", "ZUNIONSTORE a ? b c ?"),
            ("ZMPOP 2 a b MIN", "ZMPOP ? a b ?"),
            ("EVAL return(1) 2 a b c", "EVAL ? a b ?"),
            ("EVALSHA 00ff 0 a", "EVALSHA"),
            ("FCALL f 99999999999999999999 a", "FCALL"),
            ("FCALL f 18446744073709551615 a", "FCALL ? a"),
            ("XREAD COUNT 2 STREAMS a b 0 0", "XREAD ? a b ?"),
            ("XREAD COUNT 2", "XREAD"),
            ("XGROUP CREATE a g $", "XGROUP CREATE a ?"),
            ("OBJECT ENCODING a", "OBJECT ENCODING a"),
            ("CONFIG SET requirepass a", "CONFIG SET"),
            ("AUTH user a", "AUTH"),
            ("HELLO 3 AUTH user a", "HELLO"),
            ("ACL SETUSER user >a", "ACL SETUSER"),
            ("ACL >a", "ACL"),
            ("SCRIPT LOAD a", "SCRIPT LOAD"),
            ("PUBLISH a b", "PUBLISH"),
            ("MIGRATE h 1 a 0 9 AUTH b", "MIGRATE"),
            ("PING", "PING"),
            ("MY.COMMAND a", "MY.COMMAND"),
            ("GET", "GET"),
            ("BLPOP", "BLPOP"),
            ("EVAL", "EVAL"),
            ("p@ss a", "?"),
            ("", "?"),
        ];
        for (words, expected) in table {
            let words: Vec<_> = words.split_whitespace().collect();
            assert_eq!(described(&command(&words)), expected);
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = "é".repeat(100_000);
        let expected = format!("GET {}…", "é".repeat(200));
        assert_eq!(described(&command(&["GET", &long])), expected);
        let expected = format!("GET {}…", "🦀".repeat(200));
        assert_eq!(described(&command(&["GET", &"🦀".repeat(201)])), expected);
        let expected = format!("GET {}", "é".repeat(200));
        assert_eq!(described(&command(&["GET", &"é".repeat(200)])), expected);

        let mut many = vec!["DEL"];
        many.extend(["a"; 30]);
        let expected = format!("DEL{} …", " a".repeat(20));
        assert_eq!(described(&command(&many)), expected);
        assert_eq!(Command::from(&command(&many)).key_texts().count(), 20);

        let get = command(&["GET", "a"]);
        let all = |count| describe_all((0..count).map(|_| Command::from(&get)), count);
        assert_eq!(all(0), "");
        assert_eq!(all(2), "GET a; GET a");
        assert_eq!(all(10), ["GET a"; 10].join("; "));
        assert_eq!(
            all(1_000),
            format!("{}; 990 more", ["GET a"; 10].join("; "))
        );
        let long = command(&["GET", &long]);
        let text = describe_all((0..10).map(|_| Command::from(&long)), 10);
        assert!(text.len() < 1_500 && text.ends_with("…; 7 more"), "{text}");
    }

    #[test]
    fn keys_that_are_no_text_are_told_as_far_as_they_are() {
        let mut get = Cmd::new();
        get.arg("GET").arg(b"a\xff\0b");
        assert_eq!(described(&get), "GET a\u{fffd}\0b");
        get.clear();
        get.arg("GET").arg(vec![0xff_u8; 10_000]);
        assert_eq!(described(&get).chars().count(), 4 + 200 + 1);
    }

    proptest! {
        #[test]
        fn any_command_can_be_told(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..8), name in 0..KNOWN.len()) {
            let mut command = Cmd::new();
            described(command.arg(&args));
            command.clear();
            described(command.arg(KNOWN[name]).arg(args));
        }
    }

    const KNOWN: [&str; 10] = [
        "EVAL",
        "ZUNIONSTORE",
        "XREAD",
        "BLPOP",
        "MSET",
        "OBJECT",
        "LMPOP",
        "BITOP",
        "RENAME",
        "GET",
    ];
}
