//! How long the expressions of a template are.
//!
//! The template engine parses by recursion and guards it for brackets, but not for `- - - x` or `not not x`: a long enough
//! expression would end the program by a stack overflow. So length is limited before the engine sees the text.

/// Characters of one expression; people write some tens.
pub(super) const MAX_LENGTH: usize = 1000;

/// The length in bytes of the longest `{{ ... }}` or `{% ... %}`, ended as the engine ends it: not inside of quotes or
/// brackets. One that is not closed reaches to the end of the text.
pub(super) fn longest(template: &str) -> usize {
    let bytes = template.as_bytes();
    let mut longest = 0;
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%') {
            let end = end_of(bytes, at + 2);
            longest = longest.max(end - at);
            at = end;
        } else {
            at += 1;
        }
    }
    longest
}

/// Where the expression that begins at `at` has ended.
fn end_of(bytes: &[u8], mut at: usize) -> usize {
    let mut brackets = 0_usize;
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'}' | b'%') if brackets == 0 && bytes.get(at + 1) == Some(&b'}') => return at + 2,
            (None, b'(' | b'[' | b'{') => brackets += 1,
            (None, b')' | b']' | b'}') => brackets = brackets.saturating_sub(1),
            (None, _) => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::longest;

    #[test]
    fn an_expression_ends_where_the_engine_ends_it() {
        assert_eq!(longest("no template"), 0);
        assert_eq!(longest("a {{ b }} c"), 7);
        assert_eq!(longest("{{ b }}{{ longer }}"), 12);
        assert_eq!(longest("{{ '}}' }}"), 10);
        assert_eq!(longest(r#"{{ "\"}}" }}"#), 12);
        assert_eq!(longest("{{ {1: {}} }}"), 13);
        assert_eq!(longest("{% if a %}b{% endif %}"), 11);
        assert_eq!(longest("{{ never closed"), 15);
        assert_eq!(longest("{{"), 2);
    }
}
