//! Fields of a reply's head, changed in its text. What is not changed stays byte for byte as it came.

/// The head `raw` without the fields for which `dropped` is true, and with `added` at its end. Names come as they were
/// written. `raw` is a whole head that has been parsed: a line is a field.
pub(super) fn rewrite<'a>(
    raw: &[u8],
    dropped: impl Fn(&str) -> bool,
    added: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<u8> {
    let mut head = Vec::with_capacity(raw.len() + 64);
    let mut lines = raw.split_inclusive(|byte| *byte == b'\n').peekable();
    // Empty lines before a message are skipped by who reads it (RFC 9112 section 2.2), and so here.
    while let Some(line) = lines.next_if(|line| is_empty(line)) {
        head.extend_from_slice(line);
    }
    head.extend(lines.next().into_iter().flatten());
    for line in lines {
        if is_empty(line) {
            for (name, value) in added {
                for part in [name, ": ", value, "\r\n"] {
                    head.extend_from_slice(part.as_bytes());
                }
            }
            head.extend_from_slice(line);
            break;
        }
        if !dropped(name_of(line)) {
            head.extend_from_slice(line);
        }
    }
    head
}

fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// The name of a field by its line. Names are ASCII, or the head would not have been parsed.
fn name_of(line: &[u8]) -> &str {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    str::from_utf8(name).unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_changes() {
        let raw = b"\r\nHTTP/1.1 200 OK\r\nA: 1\r\nb :2\nA: \xff\r\nContent-Length: 3\r\n\r\n";
        let same = rewrite(raw, |_| false, []);
        assert_eq!(same, raw);
        let other = rewrite(raw, |name| name.eq_ignore_ascii_case("a"), [("x", "y"), ("Z", "")]);
        assert_eq!(other, b"\r\nHTTP/1.1 200 OK\r\nb :2\nContent-Length: 3\r\nx: y\r\nZ: \r\n\r\n");
    }
}
