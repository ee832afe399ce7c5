//! Targets.

use std::collections::BTreeMap;

use super::Resolver;
use super::services::check_url;
use crate::diagnostic::Code;
use crate::plan::{ProcessMatch, Target};
use crate::scenario::targets as written;

impl Resolver<'_> {
    pub(super) fn targets(&mut self) -> BTreeMap<String, Target> {
        let mut targets = BTreeMap::new();
        for (name, target) in self.root.targets.iter().flat_map(|targets| targets.iter()) {
            if let Some(url) = &target.url
                && let Err((wrong, help)) = check_url(&url.value)
            {
                self.problems.error(Code::E049, url.span, wrong, help);
            }
            if let Some(resolved) = resolved(target) {
                if let Target::NotBuilt(kind) = resolved {
                    let what =
                        format!("the target `{}` is of kind `{}`, which is not built yet", name.value, kind.word());
                    self.not_built(name.span, what);
                }
                targets.insert(name.value.clone(), resolved);
            }
        }
        targets
    }
}

fn resolved(target: &written::Target) -> Option<Target> {
    if let Some(url) = &target.url {
        return Some(Target::Url(url.value.clone()));
    }
    if let Some(service) = &target.service {
        return Some(Target::Service(service.value.clone()));
    }
    if let Some(link) = &target.link {
        return Some(Target::Link(link.value.clone()));
    }
    if let Some(process) = &target.process {
        return Some(Target::Process(ProcessMatch {
            name: process.name.clone(),
            pid: process.pid.as_ref().map(|pid| pid.value),
            cmdline: process.cmdline.as_ref().map(|cmdline| cmdline.value.clone()),
            port: process.port.as_ref().map(|port| port.value),
            count: process.count.as_ref().map(|count| count.value),
        }));
    }
    if let Some(name) = &target.netns {
        return Some(Target::Netns(name.value.clone()));
    }
    target.kind().map(Target::NotBuilt)
}
