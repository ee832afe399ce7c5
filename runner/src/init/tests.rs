//! What is written, and what is left alone.

use std::collections::BTreeMap;

use brunt_scenario::plan::Plan;
use proptest::prelude::*;

use super::*;

fn wishes(template: Template) -> Wishes {
    let mut wishes = Wishes { template, editor: true, schema: Some("{}".into()), ..Wishes::default() };
    match template {
        Template::Services => wishes.command = Some("./app --port ${port}".into()),
        Template::Compose => wishes.published = compose("services: { web: { ports: [ '8080:80' ] } }"),
        Template::K8s => wishes.url = Some("https://shop.example.org".into()),
        _ => {}
    }
    wishes
}

fn compose(text: &str) -> Vec<Published> {
    published(text, |_| None).expect("a compose file").0
}

fn scenario(wishes: &Wishes) -> String {
    make(wishes).expect("it can be made").remove(0).text
}

fn plan(text: &str) -> Plan {
    load_text("x.brunt.yaml", text, &LoadOptions::default()).expect("valid").plans().expect("valid").remove(0)
}

fn refused(wishes: &Wishes) -> String {
    make(wishes).expect_err("it cannot be made").to_string()
}

#[test]
fn every_template_is_a_scenario_that_this_version_can_run() {
    for template in Template::ALL {
        let made = plan(&scenario(&wishes(template)));
        assert!(made.not_built.is_empty(), "{}: {:?}", template.word(), made.not_built);
        let as_it_stands = plan(template.text());
        assert_eq!(made.name, as_it_stands.name);
        assert_eq!(made.gates.len(), as_it_stands.gates.len());
        assert!(!made.gates.is_empty(), "{} judges nothing", template.word());
    }
}

#[test]
fn what_is_filled_in_reads_as_if_written_by_hand() {
    let mut http = wishes(Template::Http);
    http.url = Some("https://shop.example.org:8443/items?sort=price#top".into());
    http.rate = Some("200/s".into());
    http.name = Some("shop front".into());
    insta::assert_snapshot!("filled_http", scenario(&http));
    let mut services = wishes(Template::Services);
    services.command = Some("node 'my server.js' --port ${port} --name \"a \\\"b\\\"\" 7".into());
    services.ready = Some("/health".into());
    insta::assert_snapshot!("filled_services", scenario(&services));
    let mut several = wishes(Template::Compose);
    several.published = compose(
        "services:\n  api: { ports: [ '127.0.0.1:8081:8000' ] }\n  db: { ports: [ { target: 5432, published: 15432 } ] }\n",
    );
    insta::assert_snapshot!("filled_compose", scenario(&several));
}

#[test]
fn a_host_elsewhere_is_allowed_by_name_and_one_here_needs_nothing() {
    let hosts = |url: &str| {
        let mut wishes = wishes(Template::Http);
        wishes.url = Some(url.into());
        plan(&scenario(&wishes)).safety.allow_hosts
    };
    assert_eq!(hosts("http://shop.example.org/x"), ["shop.example.org"]);
    assert_eq!(hosts("http://10.0.0.7:80"), ["10.0.0.7"]);
    for here in ["http://localhost:8080", "http://127.0.0.1:1/x?y", "http://[::1]:8080/"] {
        assert!(hosts(here).is_empty(), "{here}");
    }
}

#[test]
fn wishes_that_do_not_fit_are_refused_with_a_way_out() {
    let http = wishes(Template::Http);
    assert!(refused(&Wishes { url: Some("localhost:8080".into()), ..http.clone() }).contains("http://localhost:8080"));
    assert!(refused(&Wishes { path: Some("items".into()), ..http.clone() }).contains("`/items`"));
    assert!(refused(&Wishes { command: Some("x".into()), ..http.clone() }).contains("--command says nothing"));
    assert!(refused(&Wishes { url: None, ..wishes(Template::K8s) }).contains("port-forward"));
    assert!(refused(&Wishes { command: None, ..wishes(Template::Services) }).contains("--command 'node"));
    assert!(refused(&Wishes { command: Some("x 'y".into()), ..wishes(Template::Services) }).contains("quote"));
    assert!(refused(&Wishes { published: vec![], ..wishes(Template::Compose) }).contains("--from compose.yaml"));
    assert!(refused(&Wishes { service: Some("db".into()), ..wishes(Template::Compose) }).contains("these do: web"));
    let why = make(&Wishes { rate: Some("fast".into()), ..http }).expect_err("no rate");
    let InitError::Scenario(problems) = why else { panic!("{why}") };
    assert!(problems.render(false).contains("fast"), "{}", problems.render(false));
}

#[test]
fn ports_are_read_as_compose_means_them() {
    let text = "
services:
  web: { image: nginx, ports: [ '8080:80', '8443:443/tcp' ] }
  app: { ports: [ '${APP_PORT:-3000}:3000' ] }
  set: { ports: [ '$SET:5000' ] }
  v6: { ports: [ '[::1]:6000:6000' ] }
  long: { ports: [ { target: 9000, published: '9001', host_ip: 0.0.0.0, protocol: tcp } ] }
  inside: { ports: [ 9999, '7000' ] }
  dns: { ports: [ '53:53/udp' ] }
  range: { ports: [ '9090-9091:8080-8081' ] }
  unset: { ports: [ '${NOBODY}:1' ] }
  none: { build: . }
  empty:
";
    let set = BTreeMap::from([("SET", "5001")]);
    let (found, left_out) = published(text, |name| set.get(name).map(ToString::to_string)).expect("a compose file");
    let shown: Vec<String> = found.iter().map(|port| format!("{} {}", port.name, port.address())).collect();
    let expected = [
        "app 127.0.0.1:3000",
        "long 127.0.0.1:9001",
        "set 127.0.0.1:5001",
        "v6 [::1]:6000",
        "web-8080 127.0.0.1:8080",
        "web-8443 127.0.0.1:8443",
    ];
    assert_eq!(shown, expected);
    insta::assert_snapshot!(left_out.join("\n"));
    assert_eq!(compose::entry(&found, None).expect("there are some").name, "web-8080");
    assert_eq!(compose::entry(&found, Some("app")).expect("it is there").port, 3000);
}

#[test]
fn a_file_without_ports_says_what_is_missing() {
    let told = |text: &str| published(text, |_| None).expect_err("nothing to reach").to_string();
    assert!(told("services: { db: { image: x } }").contains("no service has `ports`"));
    assert!(told("version: 1\nload: {}\n").contains("no compose file"));
    assert!(told("[1, 2]").contains("no compose file"));
    assert!(told("services: { db: { ports: [ 5432 ] } }").contains("targets inside of Docker are not built"));
}

#[test]
fn nothing_is_replaced_without_force_and_a_kept_file_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
    let all = Wishes { ci: Some(Ci::Github), ..wishes(Template::Http) };
    let files = make(&all).expect("it can be made");
    let paths: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    assert_eq!(paths, ["http.brunt.yaml", SCHEMA_FILE, ".vscode/settings.json", ".github/workflows/brunt.yml"]);
    fs::create_dir_all(folder.path().join(".vscode")).expect("it is ours");
    fs::write(folder.path().join(".vscode/settings.json"), "{ \"mine\": 1 }").expect("it is ours");
    let written = write(&files, folder.path(), false).expect("the folder is empty");
    assert_eq!(written, [Written::New, Written::New, Written::Kept, Written::New]);
    assert!(read(".github/workflows/brunt.yml").contains("brunt run http.brunt.yaml"));

    let second = make(&Wishes { name: Some("second".into()), ..all.clone() }).expect("it can be made");
    let written = write(&second, folder.path(), false).expect("a new name");
    assert_eq!(written[..3], [Written::New, Written::Same, Written::Kept]);

    fs::write(folder.path().join("http.brunt.yaml"), "changed by hand").expect("it is ours");
    fs::remove_file(folder.path().join(SCHEMA_FILE)).expect("it is there");
    let why = write(&files, folder.path(), false).expect_err("it is there");
    assert!(why.to_string().contains("--force"), "{why}");
    assert_eq!(read("http.brunt.yaml"), "changed by hand");
    assert!(!folder.path().join(SCHEMA_FILE).exists(), "nothing at all is written");

    write(&files, folder.path(), true).expect("as asked");
    assert_eq!(read("http.brunt.yaml"), files[0].text);
    assert_eq!(read(".vscode/settings.json"), "{ \"mine\": 1 }", "editor settings are somebody's own");
}

#[test]
fn a_link_that_points_elsewhere_is_not_followed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elsewhere = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, folder.path().join("http.brunt.yaml")).expect("it is ours");
    let files = make(&wishes(Template::Http)).expect("it can be made");
    assert!(matches!(write(&files, folder.path(), false), Err(InitError::Exists(_))));
    assert!(!elsewhere.exists());
}

#[test]
fn without_a_schema_there_is_no_reference_to_one() {
    let files = make(&Wishes { schema: None, ..wishes(Template::Http) }).expect("it can be made");
    assert_eq!(files.len(), 1);
    assert!(!files[0].text.contains("$schema"));
}

proptest! {
    #[test]
    fn a_command_is_started_word_for_word(words in prop::collection::vec("[^$\\x00-\\x1f\\x7f-\\x9f\u{feff}\u{fffe}\u{ffff}]{1,12}", 1..5)) {
        let command = shlex::try_join(words.iter().map(String::as_str)).expect("no NUL");
        let made = scenario(&Wishes { command: Some(command), ..wishes(Template::Services) });
        let run: Vec<String> = plan(&made).services[0].run.iter().map(ToString::to_string).collect();
        prop_assert_eq!(run, words);
    }

    #[test]
    fn no_wish_makes_init_panic(url in "(http://)?.{0,20}", path in ".{0,10}", rate in ".{0,8}", name in ".{0,10}") {
        let wishes = Wishes { url: Some(url), path: Some(path), rate: Some(rate), name: Some(name), ..wishes(Template::Http) };
        if let Ok(files) = make(&wishes) {
            plan(&files[0].text);
        }
    }

    #[test]
    fn no_compose_file_makes_init_panic(port in "\\PC{0,24}") {
        let text = serde_json::json!({ "services": { "a b": { "ports": [port] } } }).to_string();
        if let Ok((found, _)) = published(&text, |_| None) {
            scenario(&Wishes { published: found, ..wishes(Template::Compose) });
        }
    }
}
