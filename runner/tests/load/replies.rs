//! What is sent, what is made of the replies, and how connections are used.

use brunt::load::Options;
use brunt_report::sample::ErrorClass;
use brunt_scenario::plan::{Body, Check, Extract, ExtractFrom, Json, Model, Piece, Plan, Request, Target, Text};
use brunt_scenario::secret::Secret;

use crate::rig::{Outcome, get, plan, post, run, site, stage, step, visits};
use crate::server::Server;

/// One iteration of these steps.
fn once(server: &Server, steps: Vec<Request>) -> Outcome {
    run(once_plan(server, steps), &Options::default()).unwrap()
}

fn once_plan(server: &Server, steps: Vec<Request>) -> Plan {
    plan(site(server), steps.into_iter().map(step).collect(), Model::OpenConstant, vec![stage(10.0, 0.1)])
}

#[test]
fn extracted_values_reach_paths_headers_and_bodies_of_later_steps() {
    let server = Server::start();
    let take = |name: &str, from| Extract { name: name.into(), from };
    let first = Request {
        extract: vec![
            take("id", ExtractFrom::JsonPath("$.id".into())),
            take("sku", ExtractFrom::JsonPath("$.lines[0].sku".into())),
            take("trace", ExtractFrom::Header("X-Trace".into())),
            take("state", ExtractFrom::Regex(r#""state":"(\w+)""#.into())),
        ],
        ..get("/order")
    };
    let body = Body::Json(Json::Object(vec![
        ("sku".into(), Json::Text(Text::literal("{{ sku }}"))),
        ("n".into(), Json::Number(2.into())),
    ]));
    let second = Request {
        id: "update".into(),
        headers: vec![("Authorization".into(), Text::literal("{{ trace }}"))],
        ..post("/orders/{{ id }}?from={{ state }}", body)
    };
    let third = post("/form", Body::Form(vec![("a".into(), Text::literal("{{ sku }}&"))]));
    let outcome = once(&server, vec![first, second, third]);
    assert_eq!(outcome.ok(), 3, "{:?}", outcome.examples());
    let agent = concat!("user-agent=brunt/", env!("CARGO_PKG_VERSION"));
    let expected = [
        format!("HTTP/1.1 GET /order; {agent}"),
        format!(
            "HTTP/1.1 POST /orders/17?from=open; content-type=application/json; content-length=19; {agent}; \
             authorization=t-1; {{\"sku\":\"a b\",\"n\":2}}"
        ),
        format!(
            "HTTP/1.1 POST /form; content-type=application/x-www-form-urlencoded; content-length=8; {agent}; a=a+b%26"
        ),
    ];
    assert_eq!(server.requests(), expected);
    assert_eq!(server.connections(), 1);
    assert!(outcome.all.iterations[0].ok);
}

#[test]
fn random_values_follow_the_seed() {
    let bodies = || {
        let server = Server::start();
        let body = Body::Raw(Text::literal("{{ uuid() }} {{ rand_int(1, 1000000) }} {{ iteration }}"));
        let plan = plan(site(&server), vec![step(post("/x", body))], Model::OpenConstant, vec![stage(100.0, 0.1)]);
        assert_eq!(run(plan, &Options::default()).unwrap().ok(), 10);
        let mut requests = server.requests();
        requests.sort();
        requests
    };
    assert_eq!(bodies(), bodies());
}

#[test]
fn each_kind_of_check_can_fail_and_says_why() {
    let server = Server::start();
    let check = |id: &str, check| Request { id: id.into(), check, continue_on_error: true, ..get("/order") };
    let text = |text: &str| Json::Text(Text::literal(text));
    let outcome = once(
        &server,
        vec![
            check(
                "good",
                Check {
                    status: vec![200, 201],
                    headers: vec![("x-trace".into(), Text::literal("t-1"))],
                    body: vec![("$.id".into(), Json::Number(17.into())), ("$.state".into(), text("open"))],
                    regex: Some("open".into()),
                    min_size: Some(10),
                    max_size: Some(100),
                    max_latency: Some(std::time::Duration::from_secs(10)),
                },
            ),
            check("status", Check { status: vec![201], ..Check::default() }),
            check("header", Check { headers: vec![("x-none".into(), Text::literal("1"))], ..Check::default() }),
            check("body", Check { body: vec![("$.state".into(), text("paid"))], ..Check::default() }),
            check("nothing", Check { body: vec![("$.owner".into(), Json::Null)], ..Check::default() }),
            check("regex", Check { regex: Some("paid".into()), ..Check::default() }),
            check("size", Check { max_size: Some(3), ..Check::default() }),
            check("latency", Check { max_latency: Some(std::time::Duration::ZERO), ..Check::default() }),
        ],
    );
    assert_eq!((outcome.ok(), outcome.errors(ErrorClass::Check)), (1, 7));
    let examples = outcome.examples();
    assert_eq!(
        examples[..6],
        [
            "GET /order: status 200",
            "GET /order: header x-none is missing, `1` expected",
            "GET /order: `$.state` is \"open\", not as expected",
            r#"GET /order: nothing at `$.owner`, body starts `{"id":17,"state":"open","lines":[{"sku":"a b"}]}`"#,
            r#"GET /order: the body does not match `paid`, body starts `{"id":17,"state":"open","lines":[{"sku":"a b"}]}`"#,
            "GET /order: 48 bytes, at most 3 expected",
        ]
    );
    assert!(examples[6].starts_with("GET /order: latency "), "{}", examples[6]);
}

#[test]
fn a_failed_step_ends_the_iteration_unless_it_may_go_on() {
    let server = Server::start();
    let outcome = once(&server, vec![get("/busy"), get("/fast")]);
    assert_eq!((outcome.errors(ErrorClass::Status5xx), outcome.ok()), (1, 0));
    assert!(!outcome.all.iterations[0].ok);
    let on = Request { continue_on_error: true, ..get("/busy") };
    let outcome = once(&server, vec![on, get("/fast")]);
    assert_eq!((outcome.errors(ErrorClass::Status5xx), outcome.ok()), (1, 1));
    assert!(!outcome.all.iterations[0].ok);
}

#[test]
fn a_secret_reaches_the_server_and_no_message() {
    let server = Server::start();
    let secret = Text(vec![Piece::Literal("Bearer ".into()), Piece::Secret(Secret::new("s3cret"))]);
    let step = Request { headers: vec![("authorization".into(), secret)], ..get("/busy") };
    let outcome = once(&server, vec![step]);
    assert!(server.requests()[0].contains("Bearer s3cret"));
    assert_eq!(outcome.examples(), ["GET /busy: status 503, body starts `try later, token ***`"]);
}

#[test]
fn chunked_bodies_are_read_to_their_end_and_their_connections_reused() {
    let server = Server::start();
    let size = Check { min_size: Some(50_000), max_size: Some(50_000), ..Check::default() };
    let steps = (0..5).map(|i| Request { id: i.to_string(), check: size.clone(), ..get("/chunked") }).collect();
    let outcome = once(&server, steps);
    assert_eq!((outcome.ok(), server.connections()), (5, 1), "{:?}", outcome.examples());
}

#[test]
fn a_head_request_has_no_body_to_wait_for() {
    let server = Server::start();
    let head = |id: &str| Request { id: id.into(), method: "HEAD", ..get("/order") };
    let outcome = once(&server, vec![head("a"), head("b")]);
    assert_eq!((outcome.ok(), server.connections()), (2, 1), "{:?}", outcome.examples());
}

#[test]
fn connection_close_is_obeyed() {
    let server = Server::start();
    let steps = (0..4).map(|i| Request { id: i.to_string(), ..get("/close") }).collect();
    let outcome = once(&server, steps);
    assert_eq!((outcome.ok(), server.connections()), (4, 4), "{:?}", outcome.examples());
    assert!(outcome.all.requests.iter().all(|request| request.connect_ns > 0));
}

#[test]
fn https_speaks_http2_where_the_server_does_and_shares_its_connection() {
    for (http2, version) in [(true, "HTTP/2.0"), (false, "HTTP/1.1")] {
        let server = Server::start_tls(http2);
        let mut plan = visits(&server, "/order");
        let url = Text::literal(format!("https://localhost:{}", server.address.port()));
        plan.targets.insert("site".into(), Target::Url(url));
        let outcome = run(plan, &Options { insecure: true, ..Options::default() }).unwrap();
        assert_eq!(outcome.ok(), 100, "{version}: {:?}", outcome.examples());
        assert!(server.requests().iter().all(|request| request.starts_with(version)), "{:?}", server.requests()[0]);
        let most = if http2 { 1 } else { 40 };
        assert!(server.connections() <= most, "{version}: {} connections", server.connections());
    }
}
