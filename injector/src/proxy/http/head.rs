//! What heads of requests and replies have in common: they come in pieces, and their fields say how long the body is.

use std::mem::MaybeUninit;

use super::body::Body;

/// A head longer than this is not HTTP that brunt follows.
pub(super) const HEAD_LIMIT: usize = 64 << 10;

/// More header fields than this, likewise.
const FIELD_LIMIT: usize = 128;

/// Room for the fields of a head.
pub(super) type Fields<'a> = [MaybeUninit<httparse::Header<'a>>; FIELD_LIMIT];

/// See [`Fields`].
pub(super) const fn no_fields<'a>() -> Fields<'a> {
    [const { MaybeUninit::uninit() }; FIELD_LIMIT]
}

/// Where a parser of one direction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Head,
    Body(Body),
    Opaque,
}

/// What became of an attempt to parse a head.
pub(super) enum Parsed<Shape> {
    Whole(Shape),
    Partial,
    Broken,
}

/// The beginning of a head whose end has not come yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// They were handed out by the step before.
    given: bool,
    /// How many of them had passed before the parser took over: see [`Kept::take_over`].
    passed: usize,
}

impl Kept {
    /// From now on what is kept is withheld from the receiver; so far it was only followed.
    pub fn take_over(&mut self) {
        self.forget_given();
        self.passed = self.bytes.len();
    }

    /// Forgets what was handed out.
    pub fn forget_given(&mut self) {
        if std::mem::take(&mut self.given) {
            self.bytes.clear();
            self.passed = 0;
        }
    }

    /// What is withheld; nothing is kept afterwards.
    pub fn let_go(&mut self) -> Vec<u8> {
        self.forget_given();
        let passed = std::mem::take(&mut self.passed);
        std::mem::take(&mut self.bytes).split_off(passed)
    }

    /// How many bytes are kept.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What is kept and `input`, in one piece.
    pub fn with<'a>(&'a mut self, input: &'a [u8]) -> &'a [u8] {
        if self.bytes.is_empty() {
            return input;
        }
        self.bytes.extend_from_slice(input);
        &self.bytes
    }

    /// What [`Kept::with`] returned stays kept: its end has not come.
    pub fn keep(&mut self, input: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(input);
        }
    }

    /// What [`Kept::with`] returned is handed out. Returns it again, and how much of it had passed before.
    pub fn give<'a>(&'a mut self, input: &'a [u8]) -> (&'a [u8], usize) {
        if self.bytes.is_empty() {
            return (input, 0);
        }
        self.given = true;
        (&self.bytes, self.passed)
    }
}

/// Whether `word` is among the comma-separated values of the field `name`.
pub(super) fn says(fields: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).any(|field| {
        field.value.split(|byte| *byte == b',').any(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// What the fields say about the length of the body.
#[derive(Clone, Copy)]
pub(super) enum Coding {
    None,
    Length(u64),
    Chunked,
    /// A transfer coding that does not end in `chunked`.
    Other,
}

/// `None` when the length is not a number, or there are two that differ.
pub(super) fn coding(fields: &[httparse::Header<'_>]) -> Option<Coding> {
    let mut length = None;
    let mut transfer = None;
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            let value = number(field.value)?;
            if length.replace(value).is_some_and(|other| other != value) {
                return None;
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            let last = field.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            transfer = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        }
    }
    Some(match (transfer, length) {
        (Some(true), _) => Coding::Chunked,
        (Some(false), _) => Coding::Other,
        (None, Some(length)) => Coding::Length(length),
        (None, None) => Coding::None,
    })
}

/// Digits and nothing else: Rust's own parser would take a sign as well.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let text = str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?;
    text.parse().ok()
}
