//! The length of a message body: what has been seen of it, and where it ends.

/// A body that is being followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunked coding, RFC 9112 section 7.1.
    Chunked(Chunked),
    /// Until the sender closes.
    UntilClose,
}

/// Where in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunked {
    /// In the hexadecimal size of a chunk; `None` before its first digit.
    Size(Option<u64>),
    /// In what follows the size on its line.
    Extension(u64),
    /// So many bytes of the chunk are still to come.
    Data(u64),
    /// In the line end after a chunk.
    DataEnd,
    /// In the trailer; whether the line has been empty so far.
    Trailer(bool),
}

/// The body does not follow its coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl Body {
    /// Nothing is to come.
    pub fn is_empty(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes what belongs to the body from the start of `input`. Returns how many bytes that is and whether the body has
    /// ended.
    pub fn take(&mut self, input: &[u8]) -> Result<(usize, bool), Broken> {
        match self {
            Self::Length(left) => {
                let used = (*left).min(input.len() as u64);
                *left -= used;
                Ok((used as usize, *left == 0))
            }
            Self::Chunked(chunked) => chunked.take(input),
            Self::UntilClose => Ok((input.len(), false)),
        }
    }
}

impl Chunked {
    /// Before the first chunk.
    pub fn start() -> Self {
        Self::Size(None)
    }

    fn take(&mut self, input: &[u8]) -> Result<(usize, bool), Broken> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            if let Self::Data(left) = self {
                let taken = (*left).min((input.len() - used) as u64);
                used += taken as usize;
                *self = if *left == taken { Self::DataEnd } else { Self::Data(*left - taken) };
                continue;
            }
            used += 1;
            match self.next(byte)? {
                Some(next) => *self = next,
                None => return Ok((used, true)),
            }
        }
        Ok((used, false))
    }

    /// The state after `byte`, `None` after the last one.
    fn next(self, byte: u8) -> Result<Option<Self>, Broken> {
        let next = match (self, byte) {
            (Self::Size(Some(size)) | Self::Extension(size), b'\n') => {
                if size == 0 {
                    Self::Trailer(true)
                } else {
                    Self::Data(size)
                }
            }
            (Self::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).ok_or(Broken)?;
                let size = size.unwrap_or_default().checked_mul(16).ok_or(Broken)? + u64::from(digit);
                Self::Size(Some(size))
            }
            (Self::Size(Some(size)), b';' | b' ' | b'\t' | b'\r') | (Self::Extension(size), _) => Self::Extension(size),
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::start(),
            (Self::Trailer(true), b'\n') => return Ok(None),
            (Self::Trailer(false), b'\n') => Self::Trailer(true),
            (Self::Trailer(empty), b'\r') => Self::Trailer(empty),
            (Self::Trailer(_), _) => Self::Trailer(false),
            (Self::Size(_) | Self::DataEnd | Self::Data(_), _) => return Err(Broken),
        };
        Ok(Some(next))
    }
}
