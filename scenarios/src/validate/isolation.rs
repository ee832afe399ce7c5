//! What a service with `isolate: true` cannot reach: it lives in a namespace of its own, where 127.0.0.1 is itself.

use crate::diagnostic::{Code, Problems};
use crate::scenario::Root;
use crate::scenario::services::Service;

/// A network of isolated services has room for so many instances.
const MOST: u64 = 240;

pub(super) fn check(root: &Root, problems: &mut Problems) {
    let mut instances = 0;
    for (name, service) in root.services.iter().flat_map(|services| services.iter()) {
        let Some(isolate) = service.isolate.as_ref().filter(|isolate| isolate.value) else { continue };
        instances += service.instances.as_ref().map_or(1, |count| count.value);
        if instances > MOST {
            let message = format!("{instances} isolated instances");
            problems.error(Code::E028, isolate.span, message, format!("at most {MOST} together"));
            return;
        }
        let texts = service.run.iter().chain(service.env.iter().flat_map(|env| env.0.iter().map(|(_, text)| text)));
        let (mut others, mut links) = (Vec::new(), Vec::new());
        for (services, through) in texts.map(|text| text.needs()) {
            others.extend(services);
            links.extend(through);
        }
        let outside = |other: &&str| root.services.as_ref().and_then(|all| all.get(other)).is_some_and(is_outside);
        if let Some(other) = others.into_iter().find(outside) {
            let message = format!("`{}` cannot reach `{other}`, which listens on 127.0.0.1 outside", name.value);
            let help = format!("give `{other}` `isolate: true` as well, or put a link in front of it");
            problems.error(Code::E066, name.span, message, help);
        }
        let at_loopback = |link: &&str| {
            let listen = root.links.as_ref().and_then(|all| all.get(link)).and_then(|link| link.listen.as_ref());
            listen.is_some_and(|listen| is_loopback(&listen.value))
        };
        if let Some(link) = links.into_iter().find(at_loopback) {
            let message = format!("`{}` cannot reach the link `{link}`, which listens on loopback", name.value);
            let help = "remove its `listen`: it then gets an address that isolated services reach";
            problems.error(Code::E066, name.span, message, help);
        }
    }
}

fn is_outside(service: &Service) -> bool {
    !service.isolate.as_ref().is_some_and(|isolate| isolate.value)
}

fn is_loopback(listen: &str) -> bool {
    ["127.", "localhost:", "[::1]:"].iter().any(|host| listen.starts_with(host))
}
