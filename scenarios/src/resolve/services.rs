//! Services and links, services in an order in which each one's addresses can be known.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::{READY_WITHIN, Resolver, STOP_WITHIN};
use crate::address::{Url, host_and_port};
use crate::diagnostic::Code;
use crate::plan::{Link, LinkTo, Piece, Ready, Service, Text};
use crate::scenario::services as written;

impl Resolver<'_> {
    pub(super) fn services(&mut self, folder: &Path) -> Vec<Service> {
        let mut services = Vec::new();
        for (name, service) in self.root.services.iter().flat_map(|services| services.iter()) {
            services.push(resolved(&name.value, service, folder));
        }
        self.in_order(services)
    }

    pub(super) fn links(&mut self) -> Vec<Link> {
        let mut links = Vec::new();
        for (name, link) in self.root.links.iter().flat_map(|links| links.iter()) {
            let is_service = self.root.services.as_ref().is_some_and(|it| it.place_of(&link.to.value).is_some());
            let to = if is_service { Ok(LinkTo::Service(link.to.value.clone())) } else { address(&link.to.value) };
            if let Some(listen) = &link.listen
                && let Err(error) = host_and_port(&listen.value)
            {
                self.problems.error(Code::E049, listen.span, error.wrong, "write `127.0.0.1:18081`");
            }
            match to {
                Ok(to) => {
                    let listen = link.listen.as_ref().map(|listen| listen.value.clone());
                    links.push(Link { name: name.value.clone(), to, listen });
                }
                Err((wrong, help)) => {
                    let known = self.root.services.iter().flat_map(|services| services.names());
                    let help = match crate::words::nearest(&link.to.value, known) {
                        Some(near) => format!("did you mean the service `{near}`?"),
                        None => help,
                    };
                    let message = format!("`{}` is no service and no address: {wrong}", link.to.value);
                    self.problems.error(Code::E049, link.to.span, message, help);
                }
            }
        }
        links
    }

    /// A service that names another's address, or that of a link to it, comes after it; otherwise the order of the file
    /// stays. Where that goes in a circle it is told: one of them must have a fixed port.
    fn in_order(&mut self, services: Vec<Service>) -> Vec<Service> {
        let index: HashMap<&str, usize> =
            services.iter().enumerate().map(|(index, service)| (service.name.as_str(), index)).collect();
        let mut missing = vec![0_usize; services.len()];
        let mut needed_for: Vec<Vec<usize>> = vec![Vec::new(); services.len()];
        for (own, service) in services.iter().enumerate() {
            let needs = self.needed_by(service);
            let needs: BTreeSet<usize> = needs.iter().filter_map(|name| index.get(name.as_str()).copied()).collect();
            for need in needs.into_iter().filter(|need| *need != own) {
                missing[own] += 1;
                needed_for[need].push(own);
            }
        }
        let mut ready: BTreeSet<usize> = (0..services.len()).filter(|index| missing[*index] == 0).collect();
        let mut order = Vec::new();
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for &other in &needed_for[next] {
                missing[other] -= 1;
                if missing[other] == 0 {
                    ready.insert(other);
                }
            }
        }
        let mut waiting = (0..services.len()).filter(|index| missing[*index] > 0);
        if let Some(first) = waiting.next() {
            let names: Vec<&str> =
                std::iter::once(first).chain(waiting.take(4)).map(|at| services[at].name.as_str()).collect();
            let at = self.root.services.as_ref().and_then(|services| services.place_of(names[0]));
            if let Some(at) = at {
                let message = format!("services wait for each other's addresses: {}", names.join(", "));
                let help = "give one of them a fixed `port` and write its address out";
                self.problems.error(Code::E044, at, message, help);
            }
        }
        let mut services: Vec<Option<Service>> = services.into_iter().map(Some).collect();
        order.into_iter().filter_map(|index| services[index].take()).collect()
    }

    /// The services whose addresses a service needs, directly or through links.
    fn needed_by(&self, service: &Service) -> Vec<String> {
        let mut needed = Vec::new();
        for text in service.run.iter().chain(service.env.iter().map(|(_, value)| value)) {
            let (services, links) = text.needs();
            needed.extend(services.into_iter().map(str::to_owned));
            let links = links.into_iter().filter_map(|link| self.root.links.as_ref()?.get(link));
            needed.extend(links.map(|link| link.to.value.clone()));
        }
        needed
    }
}

fn resolved(name: &str, service: &written::Service, folder: &Path) -> Service {
    let ready = service.ready.as_ref();
    let http = ready.and_then(|ready| ready.http.as_ref()).map(|path| Ready::Http(path.value.clone()));
    let log = ready.and_then(|ready| ready.log.as_ref()).map(|regex| Ready::Log(regex.value.clone()));
    let stop = service.stop.as_ref();
    Service {
        name: name.to_owned(),
        run: service.run.clone(),
        cwd: service.cwd.as_ref().map_or_else(|| folder.to_path_buf(), |cwd| folder.join(cwd)),
        env: service.env.iter().flat_map(|env| &env.0).map(|(k, v)| (k.value.clone(), v.clone())).collect(),
        instances: service.instances.as_ref().map_or(1, |count| usize::try_from(count.value).unwrap_or(usize::MAX)),
        port: service.port.as_ref().map(|port| port.value),
        isolated: service.isolate.as_ref().is_some_and(|isolate| isolate.value),
        over_v6: service.family.as_ref().is_some_and(|family| matches!(family.value, written::Family::V6)),
        ready: http.or(log).unwrap_or(Ready::Tcp),
        ready_within: ready.and_then(|ready| ready.within).unwrap_or(READY_WITHIN),
        stop_signal: stop.and_then(|stop| stop.signal).unwrap_or(written::Signal::Term).number(),
        stop_within: stop.and_then(|stop| stop.within).unwrap_or(STOP_WITHIN),
    }
}

fn address(text: &str) -> Result<LinkTo, (String, String)> {
    if !text.contains("://") {
        let (host, port) = host_and_port(text).map_err(|error| (error.wrong, error.help))?;
        return Ok(LinkTo::Address { host, port, https: false });
    }
    let url: Url = text.parse().map_err(|error: crate::address::AddressError| (error.wrong, error.help))?;
    if !url.path.is_empty() {
        return Err((
            "a link passes whole connections, not paths".to_owned(),
            format!("remove the path: `{}`", text.trim_end_matches('/').trim_end_matches(url.path.as_str())),
        ));
    }
    Ok(LinkTo::Address { host: url.host, port: url.port, https: url.https })
}

/// The address of a target: checked as far as it is known before the run.
pub(super) fn check_url(text: &Text) -> Result<(), (String, String)> {
    let known = match text.0.as_slice() {
        [Piece::Literal(text)] => text,
        [] => "",
        // `${services.x.url}` stands for a whole address; a secret part cannot be looked at without risking to show it.
        _ => return Ok(()),
    };
    if known.contains("{{") {
        return Err((
            "`{{ }}` is filled in for each iteration, a target is fixed".to_owned(),
            "use `${...}` here, or put the template into the path of the request".to_owned(),
        ));
    }
    known.parse::<Url>().map(|_| ()).map_err(|error| (format!("not an address: {}", error.wrong), error.help))
}
