//! Targets.

use std::collections::BTreeMap;

use super::Resolver;
use super::services::check_url;
use crate::diagnostic::Code;
use crate::plan::{DockerMatch, Owner, PodMatch, ProcessMatch, Target};
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
                targets.insert(name.value.clone(), resolved);
            }
        }
        targets
    }
}

pub(super) fn resolved(target: &written::Target) -> Option<Target> {
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
        return Some(Target::Process(processes_of(process)));
    }
    if let Some(name) = &target.netns {
        return Some(Target::Netns(name.value.clone()));
    }
    if let Some(docker) = target.docker.as_ref().and_then(containers) {
        return Some(Target::Docker(docker));
    }
    target.kubernetes.as_ref().map(|pods| Target::Kubernetes(pods_of(pods)))
}

fn processes_of(process: &written::Process) -> ProcessMatch {
    ProcessMatch {
        name: process.name.clone(),
        pid: process.pid.as_ref().map(|pid| pid.value),
        cmdline: process.cmdline.as_ref().map(|cmdline| cmdline.value.clone()),
        port: process.port.as_ref().map(|port| port.value),
        count: process.count.as_ref().map(|count| count.value),
    }
}

fn pods_of(pods: &written::Kubernetes) -> PodMatch {
    PodMatch {
        context: pods.context.clone(),
        namespace: pods.namespace.clone(),
        selector: pods.selector.clone(),
        fields: pods.fields.clone(),
        owner: pods.owner.as_ref().and_then(|owner| Owner::parse(&owner.value)),
        node: pods.node.clone(),
        container: pods.container.as_ref().map(|container| container.value.clone()),
        process: pods.process.as_ref().map(processes_of),
        zone: pods.zone.clone(),
    }
}

/// `None` where the check of the form has complained already.
fn containers(docker: &written::Docker) -> Option<DockerMatch> {
    if let Some(name) = &docker.name {
        return Some(DockerMatch::Name(name.clone()));
    }
    if let Some((key, value)) = docker.label.as_ref().and_then(|label| label.split_once('=')) {
        return Some(DockerMatch::Label { key: key.to_owned(), value: value.to_owned() });
    }
    let (project, service) = (docker.compose_project.clone()?, docker.service.clone()?);
    Some(DockerMatch::Compose { project, service })
}
