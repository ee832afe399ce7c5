//! Objectives, and the hypothesis that they hold.

use std::path::Path;

use super::{BEFORE_WITHIN_FACTOR, PROBE_EVERY, PROBE_TIMEOUT, Resolver, SLO_OVER, bound};
use crate::address::host_and_port;
use crate::decode::Spanned;
use crate::diagnostic::Code;
use crate::metric::Metric;
use crate::plan::{Before, Bound, Expect, Piece, Probe, ProbeKind, Scope, Slo, SteadyState, Text};
use crate::scenario::steady_state as written;
use crate::units::CountOrShare;

impl Resolver<'_> {
    pub(super) fn slos(&mut self) -> Vec<Slo> {
        let mut slos = Vec::new();
        for (name, slo) in self.root.slos.iter().flat_map(|slos| slos.iter()) {
            let metric = slo.metric.value;
            let over_requests = matches!(
                metric,
                Metric::Latency(_)
                    | Metric::Service(_)
                    | Metric::ErrorRate
                    | Metric::SuccessRate
                    | Metric::CheckFailures
                    | Metric::Requests
                    | Metric::RateOffered
                    | Metric::RateCompleted
            );
            if !over_requests {
                let help =
                    "objectives are over requests: `latency.*`, `service.*`, `error_rate`, `success_rate`, `rate.*`";
                let message = format!("`{metric}` has no value over a sliding span");
                self.problems.error(Code::E068, slo.metric.span, message, help);
            }
            let max = slo.max.as_ref().and_then(|max| bound::read(metric, max, self.problems)).map(Bound::Max);
            let min = slo.min.as_ref().and_then(|min| bound::read(metric, min, self.problems)).map(Bound::Min);
            let Some(bound) = max.or(min) else { continue };
            slos.push(Slo {
                id: name.value.clone(),
                scope: scope(slo.journey.as_ref(), slo.step.as_ref()),
                metric,
                bound,
                over: slo.over.as_ref().map_or(SLO_OVER, |over| over.value),
            });
        }
        slos
    }

    pub(super) fn steady_state(&mut self, slos: &[Slo], folder: &Path) -> Option<SteadyState> {
        let state = self.root.steady_state.as_ref()?;
        let all_of = state.all_of.iter().flatten();
        let probes = state.probes.iter().flatten();
        Some(SteadyState {
            title: state.title.clone().unwrap_or_default(),
            slos: all_of.filter_map(|name| slos.iter().position(|slo| slo.id == name.value)).collect(),
            probes: probes.filter_map(|probe| self.probe(probe, folder)).collect(),
            before: state.before.as_ref().map(|before| Before {
                hold_for: before.hold_for,
                within: before
                    .within
                    .as_ref()
                    .map_or(before.hold_for.saturating_mul(BEFORE_WITHIN_FACTOR), |within| within.value),
            }),
        })
    }

    fn probe(&mut self, probe: &written::Probe, folder: &Path) -> Option<Probe> {
        if let Some(prometheus) = &probe.prometheus {
            self.not_built(prometheus.span, "prometheus probes are not built yet");
            for bound in prometheus.value.max.iter().chain(&prometheus.value.min) {
                <f64 as crate::decode::Decode>::decode(bound, self.problems);
            }
        }
        let kind = match (&probe.http, &probe.tcp, &probe.command, &probe.kubernetes) {
            (Some(http), ..) => {
                if !http.get.value.starts_with('/') {
                    let help = format!("write `/{}`", http.get.value);
                    self.problems.error(Code::E049, http.get.span, "a path begins with `/`", help);
                }
                let default = self.root.default_target().unwrap_or_default();
                ProbeKind::Http {
                    target: http.target.as_ref().map_or(default, |target| target.value.as_str()).to_owned(),
                    path: http.get.value.clone(),
                    status: http.status.as_ref().map_or(200, |status| status.value),
                }
            }
            (None, Some(tcp), ..) => {
                self.check_address(&tcp.address);
                ProbeKind::Tcp { address: tcp.address.value.clone() }
            }
            (None, None, Some(command), _) => ProbeKind::Command {
                run: command.value.run.clone(),
                cwd: folder.to_owned(),
                exit: command.value.exit.as_ref().map_or(0, |exit| u8::try_from(exit.value).unwrap_or_default()),
            },
            (None, None, None, Some(kubernetes)) => {
                ProbeKind::Kubernetes { target: kubernetes.target.value.clone(), expect: expected(kubernetes) }
            }
            (None, None, None, None) => return None,
        };
        Some(Probe {
            id: probe.id.value.0.clone(),
            kind,
            every: probe.every.as_ref().map_or(PROBE_EVERY, |every| every.value),
            timeout: probe.timeout.as_ref().map_or(PROBE_TIMEOUT, |timeout| timeout.value),
        })
    }

    fn check_address(&mut self, address: &Spanned<Text>) {
        if let [Piece::Literal(text)] = address.value.0.as_slice()
            && let Err(error) = host_and_port(text)
        {
            self.problems.error(Code::E049, address.span, format!("not an address: {}", error.wrong), error.help);
        }
    }
}

fn expected(probe: &written::KubernetesProbe) -> Expect {
    let at_least = probe.at_least.as_ref().map_or(CountOrShare::All, |at_least| at_least.value);
    match probe.expect.value {
        written::Expect::PodsReady => Expect::PodsReady(at_least),
        written::Expect::ReplicasAvailable => Expect::ReplicasAvailable(at_least),
        written::Expect::RolledOut => Expect::RolledOut,
        written::Expect::JobDone => Expect::JobDone,
    }
}

/// Over which requests something is taken.
pub(super) fn scope(journey: Option<&Spanned<String>>, step: Option<&Spanned<String>>) -> Scope {
    Scope { journey: journey.map(|journey| journey.value.clone()), step: step.map(|step| step.value.clone()) }
}
