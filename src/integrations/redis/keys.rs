//! Which arguments of a command are keys, as its documentation says.

use std::str;

/// Where the keys are among the arguments.
#[derive(Clone, Copy, Default)]
pub(super) struct Keys {
    /// One that stands apart from the others.
    apart: Option<usize>,
    start: usize,
    end: usize,
    step: usize,
}

impl Keys {
    pub(super) fn of(name: &str, args: &[&[u8]]) -> Self {
        let end = args.len();
        let from = |start| Self::range(start, end, 1);
        // The number at this place says how many there are after it.
        let counted = |at: usize| {
            let count = args.get(at).and_then(|arg| number(arg)).unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Self::range(at + 1, end.min(count.saturating_add(at + 1)), 1)
        };
        match name {
            "BLMOVE" | "BRPOPLPUSH" | "COPY" | "GEOSEARCHSTORE" | "LCS" | "LMOVE" | "RENAME"
            | "RENAMENX" | "RPOPLPUSH" | "SMOVE" | "ZRANGESTORE" => Self::range(0, end.min(2), 1),
            "DEL" | "EXISTS" | "MGET" | "PFCOUNT" | "PFMERGE" | "SDIFF" | "SDIFFSTORE"
            | "SINTER" | "SINTERSTORE" | "SUNION" | "SUNIONSTORE" | "TOUCH" | "UNLINK"
            | "WATCH" => from(0),
            "BITOP" => from(1),
            "MSET" | "MSETNX" => Self::range(0, end, 2),
            "BLPOP" | "BRPOP" | "BZPOPMAX" | "BZPOPMIN" => Self::range(0, end.saturating_sub(1), 1),
            "LMPOP" | "SINTERCARD" | "ZDIFF" | "ZINTER" | "ZINTERCARD" | "ZMPOP" | "ZUNION" => {
                counted(0)
            }
            "BLMPOP" | "BZMPOP" | "EVAL" | "EVALSHA" | "EVALSHA_RO" | "EVAL_RO" | "FCALL"
            | "FCALL_RO" => counted(1),
            "ZDIFFSTORE" | "ZINTERSTORE" | "ZUNIONSTORE" => Self {
                apart: Some(0),
                ..counted(1)
            },
            "XREAD" | "XREADGROUP" => {
                let mut words = args.iter();
                let streams = words.position(|arg| arg.eq_ignore_ascii_case(b"STREAMS"));
                let start = streams.map_or(end, |at| at + 1);
                Self::range(start, start + (end - start) / 2, 1)
            }
            _ if WITH_ONE_KEY.binary_search(&name).is_ok() => Self::range(0, end.min(1), 1),
            // Others have none, or nobody knows here what is secret among their arguments.
            _ => Self::default(),
        }
    }

    fn range(start: usize, end: usize, step: usize) -> Self {
        Self {
            apart: None,
            start,
            end,
            step,
        }
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        let in_range = (self.start..self.end).contains(&index);
        self.apart == Some(index) || in_range && (index - self.start).is_multiple_of(self.step)
    }
}

/// The number that an argument is.
pub(super) fn number(arg: &[u8]) -> Option<u64> {
    str::from_utf8(arg).ok()?.parse().ok()
}

/// Commands whose first argument is their only key, in order.
const WITH_ONE_KEY: [&str; 141] = [
    "APPEND",
    "BITCOUNT",
    "BITFIELD",
    "BITFIELD_RO",
    "BITPOS",
    "DECR",
    "DECRBY",
    "DUMP",
    "EXPIRE",
    "EXPIREAT",
    "EXPIRETIME",
    "GEOADD",
    "GEODIST",
    "GEOHASH",
    "GEOPOS",
    "GEORADIUS",
    "GEORADIUSBYMEMBER",
    "GEOSEARCH",
    "GET",
    "GETBIT",
    "GETDEL",
    "GETEX",
    "GETRANGE",
    "GETSET",
    "HDEL",
    "HEXISTS",
    "HEXPIRE",
    "HGET",
    "HGETALL",
    "HGETDEL",
    "HGETEX",
    "HINCRBY",
    "HINCRBYFLOAT",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HMSET",
    "HPERSIST",
    "HPEXPIRE",
    "HPTTL",
    "HRANDFIELD",
    "HSCAN",
    "HSET",
    "HSETEX",
    "HSETNX",
    "HSTRLEN",
    "HTTL",
    "HVALS",
    "INCR",
    "INCRBY",
    "INCRBYFLOAT",
    "LINDEX",
    "LINSERT",
    "LLEN",
    "LPOP",
    "LPOS",
    "LPUSH",
    "LPUSHX",
    "LRANGE",
    "LREM",
    "LSET",
    "LTRIM",
    "MEMORY USAGE",
    "MOVE",
    "OBJECT ENCODING",
    "OBJECT FREQ",
    "OBJECT IDLETIME",
    "OBJECT REFCOUNT",
    "PERSIST",
    "PEXPIRE",
    "PEXPIREAT",
    "PEXPIRETIME",
    "PFADD",
    "PSETEX",
    "PTTL",
    "RESTORE",
    "RPOP",
    "RPUSH",
    "RPUSHX",
    "SADD",
    "SCARD",
    "SET",
    "SETBIT",
    "SETEX",
    "SETNX",
    "SETRANGE",
    "SISMEMBER",
    "SMEMBERS",
    "SMISMEMBER",
    "SORT",
    "SORT_RO",
    "SPOP",
    "SRANDMEMBER",
    "SREM",
    "SSCAN",
    "STRLEN",
    "SUBSTR",
    "TTL",
    "TYPE",
    "XACK",
    "XADD",
    "XAUTOCLAIM",
    "XCLAIM",
    "XDEL",
    "XGROUP CREATE",
    "XGROUP CREATECONSUMER",
    "XGROUP DELCONSUMER",
    "XGROUP DESTROY",
    "XGROUP SETID",
    "XINFO CONSUMERS",
    "XINFO GROUPS",
    "XINFO STREAM",
    "XLEN",
    "XPENDING",
    "XRANGE",
    "XREVRANGE",
    "XSETID",
    "XTRIM",
    "ZADD",
    "ZCARD",
    "ZCOUNT",
    "ZINCRBY",
    "ZLEXCOUNT",
    "ZMSCORE",
    "ZPOPMAX",
    "ZPOPMIN",
    "ZRANDMEMBER",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZRANK",
    "ZREM",
    "ZREMRANGEBYLEX",
    "ZREMRANGEBYRANK",
    "ZREMRANGEBYSCORE",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order() {
        assert!(WITH_ONE_KEY.is_sorted());
    }
}
