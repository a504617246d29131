//! How the bodies of requests are compressed.

use std::io;

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};

/// How the bodies of requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// With gzip at a fast level, which every server reads.
    #[default]
    Gzip,
    /// With Zstandard, which not every server reads.
    #[cfg(feature = "zstd")]
    Zstd,
}

/// Compresses bodies, one after the other, with the memory of the first.
pub(crate) struct Compressor {
    compression: Compression,
    gzip: Option<Compress>,
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Self {
        Self {
            compression,
            gzip: None,
        }
    }

    pub(crate) fn compress(&mut self, body: Vec<u8>) -> Option<Bytes> {
        let compressed = match self.compression {
            Compression::None => Ok(body),
            Compression::Gzip => self.gzip(&body),
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL),
        };
        compressed.ok().map(Bytes::from)
    }

    fn gzip(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        let gzip = self
            .gzip
            .get_or_insert_with(|| Compress::new_gzip(flate2::Compression::fast(), WINDOW_BITS));
        gzip.reset();
        let mut compressed = Vec::with_capacity(body.len() / 4 + 64);
        loop {
            let read = usize::try_from(gzip.total_in()).map_err(io::Error::other)?;
            let rest = body.get(read..).unwrap_or_default();
            let status = gzip.compress_vec(rest, &mut compressed, FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                return Ok(compressed);
            }
            compressed.reserve(compressed.capacity());
        }
    }
}

/// The largest window: the memory is allocated once.
const WINDOW_BITS: u8 = 15;

#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 1;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn gunzip(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(bytes)
            .read_to_end(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn one_compressor_compresses_body_after_body() {
        let mut compressor = Compressor::new(Compression::Gzip);
        let noise: Vec<u8> = (0..300_000).map(|_| rand::random()).collect();
        for body in [b"".to_vec(), b"spans ".repeat(10_000), noise, b"x".to_vec()] {
            let compressed = compressor.compress(body.clone()).unwrap();
            assert_eq!(gunzip(&compressed), body);
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_decodes() {
        let body = b"spans ".repeat(10_000);
        let compressed = Compressor::new(Compression::Zstd)
            .compress(body.clone())
            .unwrap();
        assert_eq!(zstd::decode_all(&*compressed).unwrap(), body);
    }
}
