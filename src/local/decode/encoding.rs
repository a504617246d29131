//! Content encodings, decoded up to a limit.

use std::fmt;
use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// Undoes the `Content-Encoding` of a body, which may then have up to `limit` bytes.
pub(crate) fn decode(
    encoding: Option<&str>,
    body: Vec<u8>,
    limit: usize,
) -> Result<Vec<u8>, DecodeError> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" if body.len() > limit => Err(DecodeError::TooLarge),
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(flate2::bufread::MultiGzDecoder::new(&*body), limit),
        "deflate" => inflate(&body, limit),
        "br" => brotli(&body, limit),
        "zstd" => zstd(&body, limit),
        _ => Err(DecodeError::Unknown),
    }
}

/// The reason for which a body cannot be decoded.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// There is no such encoding in the protocol.
    Unknown,
    /// The body is not what its encoding says.
    Malformed(io::Error),
    /// The decoded body is larger than the limit.
    TooLarge,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the content encoding is not supported"),
            Self::Malformed(error) => write!(f, "the body is not what its encoding says: {error}"),
            Self::TooLarge => f.write_str("the decoded body is too large"),
        }
    }
}

impl From<io::Error> for DecodeError {
    fn from(error: io::Error) -> Self {
        Self::Malformed(error)
    }
}

/// Reads to the end, and one byte beyond the limit to find out that it is passed.
fn read(mut decoder: impl Read, limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut decoded = Vec::new();
    loop {
        let room = grow(&mut decoded, limit);
        let read = Read::by_ref(&mut decoder)
            .take(room as u64)
            .read_to_end(&mut decoded)?;
        if decoded.len() > limit {
            return Err(DecodeError::TooLarge);
        }
        if read < room {
            return Ok(decoded);
        }
    }
}

/// Makes room for more, up to one byte beyond the limit, and returns how much there is.
fn grow(decoded: &mut Vec<u8>, limit: usize) -> usize {
    if decoded.len() == decoded.capacity() {
        let end = limit.saturating_add(1);
        let more = decoded.len().max(CHUNK).min(end - decoded.len());
        decoded.reserve_exact(more);
    }
    decoded.capacity() - decoded.len()
}

/// Decodes zlib. A reader of streams would take a body that was cut off for a whole one.
fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut zlib = Decompress::new(true);
    let mut decoded = Vec::new();
    loop {
        grow(&mut decoded, limit);
        let rest = usize::try_from(zlib.total_in()).map_or(&[][..], |read| &body[read..]);
        let before = (zlib.total_in(), zlib.total_out());
        let status = zlib
            .decompress_vec(rest, &mut decoded, FlushDecompress::None)
            .map_err(io::Error::from)?;
        if decoded.len() > limit {
            return Err(DecodeError::TooLarge);
        }
        if status == Status::StreamEnd {
            break;
        }
        if before == (zlib.total_in(), zlib.total_out()) {
            return Err(cut_off());
        }
    }
    if zlib.total_in() < body.len() as u64 {
        return Err(trailing());
    }
    Ok(decoded)
}

fn brotli(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    // This pattern opens streams with windows of up to 1 GiB, which are an
    // extension of the format that the content encoding does not have.
    const LARGE_WINDOW: u8 = 0b001_0001;
    if body.first().is_some_and(|byte| byte & 0x7f == LARGE_WINDOW) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the window is too large").into());
    }
    let mut decoder = brotli_decompressor::Decompressor::new(body, CHUNK);
    let decoded = read(&mut decoder, limit)?;
    // At the end of the stream another read finds what is left in the buffer.
    if decoder.read(&mut [0]).is_err() || !decoder.get_ref().is_empty() {
        return Err(trailing());
    }
    Ok(decoded)
}

fn zstd(body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    // RFC 9659: windows of the content encoding have 8 MiB at most.
    const WINDOW_LOG: u32 = 23;
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(WINDOW_LOG)?;
    read(decoder, limit)
}

fn cut_off() -> DecodeError {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off").into()
}

fn trailing() -> DecodeError {
    io::Error::new(io::ErrorKind::InvalidData, "something comes after its end").into()
}

const CHUNK: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = b"waterfall, waterfall, waterfall, waterfall\n";

    fn encoded(encoding: &str) -> Vec<u8> {
        match encoding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            // One uncompressed block in a window of 64 KiB, and an empty last one.
            "br" => {
                let header = (TEXT.len() as u32 - 1) << 4 | 1 << 20;
                let mut bytes = header.to_le_bytes()[..3].to_vec();
                bytes.extend(TEXT);
                bytes.push(0b11);
                bytes
            }
            "zstd" => zstd::encode_all(TEXT, 1).unwrap(),
            _ => TEXT.to_vec(),
        }
    }

    #[test]
    fn every_encoding_is_decoded_up_to_the_limit() {
        for name in ["", "identity", "gzip", "deflate", "br", "zstd", " GZip "] {
            let body = encoded(name.trim().to_lowercase().as_str());
            let decoded = decode(Some(name), body.clone(), TEXT.len()).unwrap();
            assert_eq!(decoded, TEXT, "{name}");
            let error = decode(Some(name), body, TEXT.len() - 1).unwrap_err();
            assert!(matches!(error, DecodeError::TooLarge), "{name}: {error}");
        }
        assert_eq!(decode(None, TEXT.to_vec(), 100).unwrap(), TEXT);
        for name in ["snappy", "gzip, br", "deflate-raw"] {
            let error = decode(Some(name), Vec::new(), 100).unwrap_err();
            assert!(matches!(error, DecodeError::Unknown), "{name}");
        }
    }

    #[test]
    fn bodies_that_are_cut_off_or_go_on_are_malformed() {
        for name in ["gzip", "deflate", "br", "zstd"] {
            let whole = encoded(name);
            for length in 1..whole.len() {
                let error = decode(Some(name), whole[..length].to_vec(), 100).unwrap_err();
                let malformed = matches!(error, DecodeError::Malformed(_));
                assert!(malformed, "{name} of {length} bytes: {error}");
            }
            let longer = [&whole[..], b"garbage"].concat();
            let error = decode(Some(name), longer, 100).unwrap_err();
            assert!(matches!(error, DecodeError::Malformed(_)), "{name}");
        }
    }

    #[test]
    fn brotli_windows_beyond_the_format_are_refused() {
        let error = decode(Some("br"), vec![0x11, 0x1e, 0x03], 100).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed(_)), "{error}");
    }
}
