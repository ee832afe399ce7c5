//! Sentences of results.json as HTML: what stands between backticks is code there, as it is in a pull request.

use crate::render::svg::escape;

/// Escapes a sentence; a pair of backticks becomes a `code` element. One that has no partner stays what it is: names come
/// from scenarios and servers, and may hold anything.
pub fn prose(sentence: impl AsRef<str>) -> String {
    let mut html = String::new();
    let mut left = sentence.as_ref();
    while let Some((before, (code, after))) =
        left.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
    {
        html.push_str(&escape(before));
        html.push_str("<code>");
        html.push_str(&escape(code));
        html.push_str("</code>");
        left = after;
    }
    html.push_str(&escape(left));
    // A share stays with its sign.
    html.replace(" %", "\u{a0}%")
}

#[cfg(test)]
mod tests {
    use super::prose;

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_else_is_markup() {
        assert_eq!(prose("`slow`: p99 of `a` < 1"), "<code>slow</code>: p99 of <code>a</code> &lt; 1");
        assert_eq!(prose("one ` alone <b>"), "one ` alone &lt;b&gt;");
        assert_eq!(prose("`<script>`"), "<code>&lt;script&gt;</code>");
        assert_eq!(prose("5 % of all"), "5\u{a0}% of all", "no line begins with the sign");
        assert_eq!(prose(""), "");
    }
}
