//! `${secret.env.X}` and `${secret.file.path}`. No message ever holds a value.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::diagnostic::{Code, Problems};
use crate::secret::Secret;
use crate::source::{MAX_FILE_BYTES, Sources, Span};

/// Reads a secret; files are relative to the file that names them, one newline at the end is not part of the secret.
pub(super) fn read(
    source: &str,
    env: &BTreeMap<String, String>,
    sources: &Sources,
    at: Span,
    problems: &mut Problems,
) -> Option<Secret> {
    if let Some(name) = source.strip_prefix("env.") {
        let value = env.get(name).filter(|value| !value.is_empty());
        if value.is_none() {
            let help = format!("set it: `{name}=... brunt ...`; it is masked wherever it could appear");
            problems.error(Code::E042, at, format!("environment variable `{name}` holds no secret"), help);
        }
        return value.map(Secret::new);
    }
    let Some(name) = source.strip_prefix("file.") else {
        let help = "`${secret.env.X}` or `${secret.file.path}`";
        problems.error(Code::E042, at, "a secret comes from `env` or `file`", help);
        return None;
    };
    let path = sources.get(at.file).folder.join(name);
    let mut text = String::new();
    let limit = MAX_FILE_BYTES as u64;
    match std::fs::File::open(&path).and_then(|file| file.take(limit).read_to_string(&mut text)) {
        Ok(_) => {
            let value = text.strip_suffix('\n').unwrap_or(&text);
            Some(Secret::new(value.strip_suffix('\r').unwrap_or(value)))
        }
        Err(error) => {
            let help = format!("looked for `{}`", path.display());
            problems.error(Code::E042, at, format!("cannot read the secret file `{name}`: {error}"), help);
            None
        }
    }
}
