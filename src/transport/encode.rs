//! From a transaction to the body of a request.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};

use super::discards::Unsent;
use super::job::Job;
use super::{Compression, fit};
use crate::protocol::{DiscardReason, Envelope, EnvelopeHeaders, Item, Transaction};

/// A transaction written as JSON, with all that a body needs except the time it is sent.
pub(super) struct Prepared {
    headers: EnvelopeHeaders,
    /// The lines of the items, each with its line end.
    items: Vec<u8>,
    /// How many spans were dropped for the rest to fit.
    pub(super) dropped_spans: u32,
}

/// A job with its body, ready to be sent.
pub(super) struct Encoded {
    /// `None` for a client report alone.
    pub(super) job: Option<Job>,
    /// Losses that the body tells of.
    pub(super) unsent: Option<Unsent>,
    pub(super) body: Bytes,
}

/// Compresses bodies, one after the other, with the memory of the first.
pub(super) struct Compressor {
    compression: Compression,
    gzip: Option<Compress>,
}

impl Prepared {
    /// Writes what is to be sent, and makes it fit. `None`: that failed or panicked.
    pub(super) fn new(transaction: Box<Transaction>) -> Option<Self> {
        let write = move || {
            let mut envelope = Envelope::of_boxed(transaction);
            let mut items = write_items(&envelope)?;
            let mut dropped_spans = 0;
            if fit::may_be_too_large(items.len()) {
                for item in &mut envelope.items {
                    if let Item::Transaction(transaction) = item {
                        dropped_spans += fit::fit(transaction).ok()?;
                    }
                }
                items = write_items(&envelope)?;
            }
            envelope.items.clear();
            fit::fits(items.len()).then_some(Self {
                headers: envelope.headers,
                items,
                dropped_spans,
            })
        };
        // Nothing that the closure could leave half done is reachable after it.
        catch_unwind(AssertUnwindSafe(write)).ok().flatten()
    }

    /// How many bytes it holds.
    pub(super) fn size(&self) -> usize {
        self.items.len()
    }

    /// Writes the body: the time it is sent is now.
    pub(super) fn write(&self, unsent: Option<&Unsent>) -> Option<Vec<u8>> {
        let headers = Envelope {
            headers: self.headers.clone(),
            items: Vec::new(),
        };
        let mut body = headers.to_bytes(SystemTime::now()).ok()?;
        body.extend_from_slice(&self.items);
        if let Some(unsent) = unsent {
            let report = Envelope::of_client_report(unsent.report().clone());
            body.extend_from_slice(&write_items(&report)?);
        }
        Some(body)
    }
}

impl Encoded {
    /// Makes the body of a job that was built. `None`: that failed, and the job is counted.
    pub(super) fn new(
        job: Job,
        unsent: Option<Unsent>,
        compressor: &mut Compressor,
    ) -> Option<Self> {
        let job = job.prepare()?;
        let body = job
            .prepared()
            .and_then(|prepared| compressor.compress(prepared.write(unsent.as_ref())?));
        let Some(body) = body else {
            job.discard(DiscardReason::InternalSdkError);
            return None;
        };
        Some(Self {
            job: Some(job),
            unsent,
            body,
        })
    }

    /// Makes the body of a client report alone.
    pub(super) fn of_unsent(unsent: Unsent, compressor: &mut Compressor) -> Option<Self> {
        let envelope = Envelope::of_client_report(unsent.report().clone());
        let body = compressor.compress(envelope.to_bytes(SystemTime::now()).ok()?)?;
        Some(Self {
            job: None,
            unsent: Some(unsent),
            body,
        })
    }
}

impl Compressor {
    pub(super) fn new(compression: Compression) -> Self {
        Self {
            compression,
            gzip: None,
        }
    }

    fn compress(&mut self, body: Vec<u8>) -> Option<Bytes> {
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

/// Writes an envelope without its first line.
fn write_items(envelope: &Envelope) -> Option<Vec<u8>> {
    let mut bytes = envelope.to_bytes(SystemTime::UNIX_EPOCH).ok()?;
    let first = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.drain(..=first);
    Some(bytes)
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
