//! What somebody may have meant who named a scenario that is no file: an address, a folder, a neighbour with a similar name.

use std::fs;
use std::path::Path;

use brunt_scenario::words::nearest;

use super::scenario::quoted;
use super::values::ENDING;

/// So many neighbours are named.
const NAMED: usize = 8;

/// Why this is no scenario file, and what to type instead; `None` when it is one, or something that is read like one (a pipe).
pub fn meant(command: &str, what: &str) -> Option<String> {
    let path = Path::new(what);
    if path.is_dir() {
        return Some(of_folder(command, what));
    }
    if path.exists() {
        return None;
    }
    let missing = format!("there is no file `{what}`");
    if what.contains("://") {
        let (url, alone) = (quoted(what), "a URL is for `brunt run` alone, which takes one");
        return Some(match command {
            "run" => format!("{missing}; a URL begins with http:// or https://"),
            _ => format!("{alone} without a file; `brunt init --url {url}` writes a scenario"),
        });
    }
    if looks_like_an_address(what) {
        let url = format!("http://{what}");
        return Some(match command {
            "run" => format!("{missing}; to load an address, write `brunt run {}`", quoted(&url)),
            _ => format!("{missing}; an address is for `brunt run {}`, which takes no file", quoted(&url)),
        });
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let here = scenarios_in(folder);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let with_ending = format!("{name}{ENDING}");
    let close = here.iter().find(|scenario| **scenario == with_ending).map(String::as_str);
    let close = close.or_else(|| nearest(&name, here.iter().map(String::as_str)));
    let close = close.map(|close| path.with_file_name(close).display().to_string());
    Some(match (close, here.as_slice()) {
        (Some(close), _) => format!("{missing}; did you mean `brunt {command} {}`?", quoted(&close)),
        (None, []) => format!("{missing}; `brunt init` writes a scenario to start from"),
        (None, some) => format!("{missing}; there are: {}", listed(some)),
    })
}

fn of_folder(command: &str, what: &str) -> String {
    let folder = Path::new(what);
    match scenarios_in(folder).as_slice() {
        [] => format!("`{what}` is a folder without a *{ENDING}; `brunt init` writes one"),
        [only] => {
            let file = folder.join(only).display().to_string();
            format!("`{what}` is a folder; write `brunt {command} {}`", quoted(file.trim_start_matches("./")))
        }
        some => format!("`{what}` is a folder; name one or more of its scenarios: {}", listed(some)),
    }
}

fn scenarios_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ENDING)).collect();
    names.sort();
    names
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// `localhost:8080`, `localhost/x`, `example.org:80/x`, `10.0.0.1`: not `./x`, `a/b.yaml` or `x.yaml`.
fn looks_like_an_address(what: &str) -> bool {
    let host = what.split(['/', '?']).next().unwrap_or_default();
    let (name, port) = host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_');
    let has_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    let is_known = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    is_name && (has_port || port.is_none() && is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_file() {
        for address in ["localhost:8080", "localhost", "localhost/x?y", "10.0.0.7", "shop:80", "shop.example.org:443/x"]
        {
            assert!(looks_like_an_address(address), "{address}");
        }
        for file in ["shop.brunt.yaml", "./shop", "a/b.yaml", "..", "", ":80", "c:x.yaml", "http"] {
            assert!(!looks_like_an_address(file), "{file}");
        }
    }

    #[test]
    fn each_mistake_says_what_to_type() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(at("empty")).expect("it is ours");
        fs::create_dir(at("one")).expect("it is ours");
        let files = ["shop.brunt.yaml", "soak.brunt.yaml", "other.yaml", "one/only.brunt.yaml"];
        files.iter().for_each(|name| fs::write(at(name), "").expect("it is ours"));
        let named = ["shpo.brunt.yaml", "shop", "x", "empty/x.brunt.yaml", "empty", "one", "."];
        let named = named.map(at);
        let all = named.iter().map(String::as_str).chain(["localhost:8080", "shop:80/a b"]);
        let told: Vec<String> = all.map(|what| meant("run", what).expect("it is no file")).collect();
        let told = told.join("\n").replace(&folder.path().display().to_string(), "HERE");
        insta::assert_snapshot!(told);
        assert_eq!(meant("run", &at("other.yaml")), None, "whoever names a file knows what it is");
        assert_eq!(meant("run", "/dev/null"), None);
        let url = "a URL is for `brunt run` alone, which takes one without a file; `brunt init --url http://h:1/x` writes a scenario";
        assert_eq!(meant("plan", "http://h:1/x").as_deref(), Some(url));
        let told = meant("run", "ftp://h/x").expect("no file");
        assert_eq!(told, "there is no file `ftp://h/x`; a URL begins with http:// or https://");
        assert!(meant("plan", "localhost:1").expect("no file").contains("`brunt run http://localhost:1`"));
    }
}
