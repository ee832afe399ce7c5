//! The codes of problems. Each has a page in `code/`: what the label at the place says (its title), what it means and why
//! brunt insists, a wrong example and a right one. Messages, `brunt explain CODE`, SARIF and the documentation of this type
//! come from there; tests run the examples.

use super::example::Example;

macro_rules! codes {
    ($($code:ident)*) => {
        /// The kind of a problem. A code keeps its meaning; one that is not told any more is not given away again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = include_str!(concat!("code/", stringify!($code), ".md"))] $code,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// As people write it: `E031`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)* }
            }

            fn page(self) -> &'static str {
                match self { $(Self::$code => include_str!(concat!("code/", stringify!($code), ".md")),)* }
            }
        }
    };
}

codes! {
    E001 E002 E003 E004 E005 E006 E007 E008 E009 E010 E011 E012 E013 E014 E015
    E020 E021 E022 E023 E024 E025 E026 E027 E028 E029
    E031 E032 E033 E034 E035 E036 E037 E038 E039 E040 E041 E042 E043 E044 E045 E046 E047 E048 E049
    E050 E051 E052 E053 E054 E055
    E060 E061 E062 E063 E064 E065 E066 E067 E068 E069 E070
    W001 W002 W003 W004 W005 W006 W007 W008
}

impl Code {
    /// The code that is written so, in capitals or not.
    pub fn find(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// What the label at the place says unless a problem says something better.
    pub fn label(self) -> &'static str {
        self.page().lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// What it means, why brunt insists, and what to do: paragraphs with an empty line between them.
    pub fn explanation(self) -> &'static str {
        let page = self.page();
        let from = page.find('\n').unwrap_or(page.len());
        let to = page.find("\n```").unwrap_or(page.len());
        page.get(from..to).unwrap_or_default().trim()
    }

    /// A scenario, or a part of one, that gives this code and no other.
    pub fn wrong(self) -> Example {
        self.example("wrong")
    }

    /// The same as it should be.
    pub fn right(self) -> Example {
        self.example("right")
    }

    fn example(self, which: &str) -> Example {
        let block = |language: &str| {
            let (_, after) = self.page().split_once(&format!("\n```{language} {which}\n"))?;
            after.split_once("```").map(|(text, _)| text)
        };
        match (block("yaml"), block("sh")) {
            (Some(text), _) => Example::Scenario(text),
            (None, text) => Example::Command(text.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Code;

    #[test]
    fn each_page_has_a_title_a_meaning_and_two_examples_and_none_is_left_over() {
        for code in Code::ALL {
            assert!((3..=50).contains(&code.label().len()), "{}: {}", code.id(), code.label());
            assert!(code.page().starts_with("# "), "{}", code.id());
            assert!(code.explanation().ends_with('.') || code.explanation().ends_with(')'), "{}", code.id());
            assert!(!code.wrong().text().is_empty() && !code.right().text().is_empty(), "{}", code.id());
            assert_ne!(code.wrong(), code.right(), "{}", code.id());
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnostic/code");
        let names = std::fs::read_dir(folder).expect("the pages").map(|entry| entry.expect("readable").path());
        let pages: BTreeSet<String> = names
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        let codes: BTreeSet<String> = Code::ALL.iter().map(|code| code.id().to_owned()).collect();
        assert_eq!(pages, codes);
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        assert_eq!(Code::find("e031"), Some(Code::E031));
        assert_eq!(Code::find("E999"), None);
    }
}
