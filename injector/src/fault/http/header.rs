//! `http.header` on a link: fields of matching replies are set or removed.
//!
//! *What the service feels*: a target, or something in front of it, that says other things about its replies: no
//! `cache-control`, another `content-type`, a `retry-after`. `set` takes the place of all fields of that name, or is added;
//! `remove` takes all of them away. Bodies are untouched, and so are interim replies (1xx) and upgrades. Fields that frame the
//! message or speak to the next hop cannot be changed: the connection would break for another reason than the one that is
//! tested. `share` is a share of the matching replies.
//! *Privileges*: none. *Verified*: at least one reply was changed. *Undone*: later replies are untouched.

use std::io;
use std::sync::Arc;

use brunt_scenario::catalogue::http::refused_field;
use brunt_scenario::plan::{ParamValue, Params};

use super::fields::rewrite;
use super::matching::Which;
use super::replies::{Change, ChangeReplies, Rest};
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share};
use crate::proxy::{Arrival, Counted, FaultCounters, Layer, Look, ReplyHead, Shape, Stage, StreamFault};

/// The kind, as in the catalogue.
pub const KIND: &str = "http.header";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Header {
    fields: Arc<Fields>,
    which: Which,
    share: f64,
}

/// What is done to the fields of a reply.
#[derive(Debug, PartialEq)]
struct Fields {
    set: Vec<(String, String)>,
    remove: Vec<String>,
}

/// Reads `set`, `remove` (at least one of them), `path`, `method` (any) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let unfit = |why: String| Error::Unfit { kind: KIND.into(), why };
    let set = match with.0.get("set") {
        Some(ParamValue::Pairs(pairs)) => pairs.clone(),
        _ => Vec::new(),
    };
    let remove = with.names("remove").unwrap_or_default().to_vec();
    if set.is_empty() && remove.is_empty() {
        return Err(unfit("neither `set` nor `remove` says what to change, as in `remove: etag`".into()));
    }
    for (name, value) in
        set.iter().map(|(name, value)| (name, value.as_str())).chain(remove.iter().map(|name| (name, "")))
    {
        if let Some(why) = refused_field(name, value) {
            return Err(unfit(why));
        }
    }
    let fields = Arc::new(Fields { set, remove });
    Ok(StreamFault::new(Header { fields, which: Which::from_params(KIND, with)?, share: share(with) }))
}

impl Shape for Header {
    fn layer(&self) -> Layer {
        Layer::Http
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        ChangeReplies::stage(Arc::clone(&self.fields), self.which.clone(), arrival, counters)
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        nothing_hit(counted, self.share, "matching reply")
            .unwrap_or_else(|| Seen::Yes(format!("changed the headers of {}", amount(counted.affected, "reply"))))
    }
}

impl Change for Arc<Fields> {
    fn fits(&self, _: &ReplyHead<'_>) -> bool {
        true
    }

    fn change(&self, head: &ReplyHead<'_>) -> (Vec<u8>, Rest) {
        let is = |name: &str, other: &String| other.eq_ignore_ascii_case(name);
        let dropped = |name: &str| {
            self.remove.iter().any(|other| is(name, other)) || self.set.iter().any(|(other, _)| is(name, other))
        };
        let added = self.set.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        (rewrite(head.raw, dropped, added), Rest::Same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::link::stream_fault;
    use crate::proxy::StreamFault;
    use crate::proxy::lab::{Http, Lab, fault, http_saying, names, pairs, share, text, word};

    fn target() -> (std::net::SocketAddr, crate::proxy::lab::Asked) {
        http_saying(|method, path| match (method, path) {
            (_, "/empty") => "HTTP/1.1 204 No Content\r\nETag: a\r\n\r\n".into(),
            ("HEAD", _) => "HTTP/1.1 200 OK\r\nETag: a\r\ncontent-length: 2\r\n\r\n".into(),
            (_, "/early") => {
                let reply = "HTTP/1.1 200 OK\r\nETag: b\r\ncontent-length: 2\r\n\r\nok";
                format!("HTTP/1.1 103 Early Hints\r\nETag: a\r\n\r\n{reply}")
            }
            _ => "HTTP/1.1 200 OK\r\nETag: a\r\nX-One: 1\r\nx-one: 2\r\ncontent-length: 2\r\n\r\nok".into(),
        })
    }

    fn ask(client: &mut Http, method: &str, path: &str) -> Vec<String> {
        client.send(&format!("{method} {path} HTTP/1.1\r\n\r\n"));
        head(client, method == "HEAD")
    }

    fn head(client: &mut Http, bodyless: bool) -> Vec<String> {
        client.whole(bodyless).expect("a reply").0.split_off(1)
    }

    fn other() -> StreamFault {
        fault(
            KIND,
            &[pairs("set", &[("X-One", "3"), ("retry-after", "5")]), names("remove", &["etag"]), text("path", "/a*")],
        )
    }

    const AS_IT_WAS: [&str; 4] = ["ETag: a", "X-One: 1", "x-one: 2", "content-length: 2"];
    const CHANGED: [&str; 3] = ["content-length: 2", "X-One: 3", "retry-after: 5"];

    #[test]
    fn headers_of_matching_replies_change_and_change_back() {
        let (address, _) = target();
        let lab = Lab::new(address);
        let mut client = lab.http();
        assert_eq!(ask(&mut client, "GET", "/a"), AS_IT_WAS);
        let counters = lab.add("other", other());
        assert_eq!(ask(&mut client, "GET", "/b"), AS_IT_WAS);
        assert_eq!(lab.verify(&other(), &counters), Seen::NotExercised("no matching reply came along".into()));
        assert_eq!(ask(&mut client, "GET", "/a?x=1"), CHANGED);
        assert_eq!(ask(&mut client, "HEAD", "/a"), CHANGED);
        assert_eq!(lab.verify(&other(), &counters), Seen::Yes("changed the headers of 2 replies".into()));
        lab.remove("other");
        assert_eq!(ask(&mut client, "GET", "/a"), AS_IT_WAS);
    }

    #[test]
    fn pipelined_replies_are_told_apart() {
        let (address, _) = target();
        let lab = Lab::new(address);
        let mut client = lab.http();
        lab.add("other", other());
        client.send(
            &"GET /b HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n".repeat(2),
        );
        for _ in 0..2 {
            assert_eq!(head(&mut client, false), AS_IT_WAS);
            assert_eq!(head(&mut client, false), CHANGED);
            assert_eq!(head(&mut client, true), ["ETag: a", "content-length: 2"]);
            assert_eq!(head(&mut client, false), CHANGED);
        }
    }

    #[test]
    fn a_reply_without_a_body_is_changed_and_an_interim_one_is_not() {
        let (address, _) = target();
        let lab = Lab::new(address);
        let mut client = lab.http();
        lab.add("other", fault(KIND, &[names("remove", &["ETAG"]), word("method", "GET")]));
        assert!(ask(&mut client, "GET", "/empty").is_empty());
        assert_eq!(ask(&mut client, "PUT", "/empty"), ["ETag: a"]);
        client.send("GET /early HTTP/1.1\r\n\r\n");
        assert_eq!(client.whole(true).unwrap().0, ["HTTP/1.1 103 Early Hints", "ETag: a"]);
        assert_eq!(head(&mut client, false), ["content-length: 2"]);
    }

    #[test]
    fn a_reply_to_a_request_from_before_the_fault_is_left_alone() {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let gone = std::sync::Mutex::new(gone);
        let (address, asked) = http_saying(move |_, path| {
            if path == "/a/late" {
                gone.lock().unwrap().recv().unwrap();
            }
            "HTTP/1.1 200 OK\r\netag: a\r\ncontent-length: 0\r\n\r\n".into()
        });
        let lab = Lab::new(address);
        let mut client = lab.http();
        client.send("GET /a/late HTTP/1.1\r\n\r\n");
        crate::proxy::lab::eventually("the target has it", || asked.lock().unwrap().len() == 1);
        lab.add("other", fault(KIND, &[names("remove", &["etag"])]));
        go.send(()).unwrap();
        assert_eq!(head(&mut client, false), ["etag: a", "content-length: 0"]);
        assert_eq!(ask(&mut client, "GET", "/a"), ["content-length: 0"]);
    }

    #[test]
    fn replies_outside_the_share_are_untouched() {
        let (address, _) = target();
        let lab = Lab::new(address);
        let mut client = lab.http();
        let counters = lab.add("other", fault(KIND, &[names("remove", &["etag"]), share(0.3)]));
        let changed = (0..200).filter(|_| ask(&mut client, "GET", "/a")[0] != "ETag: a").count();
        assert!((35..85).contains(&changed), "{changed} of 200 at 30 %");
        assert_eq!((counters.seen.get(), counters.affected.get()), (200, changed as u64));
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let (address, _) = target();
        let lab = Lab::new(address);
        let counters = lab.add("other", other().without_effect());
        assert_eq!(ask(&mut lab.http(), "GET", "/a"), AS_IT_WAS);
        assert!(matches!(lab.verify(&other(), &counters), Seen::Absent(_)));
    }

    #[test]
    fn what_frames_the_message_is_refused() {
        let error = |with: &[(&'static str, ParamValue)]| {
            let made = stream_fault(KIND, &Params(with.iter().cloned().collect()));
            made.unwrap().err().expect("refused").to_string()
        };
        assert!(error(&[pairs("set", &[("Content-Length", "3")])]).contains("frames the message"));
        assert!(error(&[names("remove", &["connection"])]).contains("belongs to the connection"));
        assert!(error(&[pairs("set", &[("a", "b\r\nc: d")])]).contains("line break"));
        assert!(error(&[pairs("set", &[("a b", "c")])]).contains("name of a header"));
        assert!(error(&[]).contains("neither `set` nor `remove`"));
    }
}
