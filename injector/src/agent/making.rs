//! Which fault an order asks for, and where it acts: the one place where a kind becomes the thing that acts.

use std::sync::Arc;

use super::pods::Pods;
use super::protocol::Order;
use super::services::Services;
use crate::error::Error;
use crate::fault::container::on_containers;
use crate::fault::deployment::on_deployments;
use crate::fault::disk::latency::DiskLatency;
use crate::fault::in_pods::InPods;
use crate::fault::namespace::on_namespaces;
use crate::fault::node::on_nodes;
use crate::fault::packet::bandwidth::BandwidthFault;
use crate::fault::packet::ladder::Ladder;
use crate::fault::pod::on_pods;
use crate::fault::pool::exhaust::Exhaust;
use crate::fault::process::on_processes;
use crate::fault::stress::{self, CpuOfPod, Stress};
use crate::fault::{Elsewhere, Fault};
use crate::packets::Beats;
use crate::target::process::in_container;

/// The fault that an order asks for, if it is one that waits for others.
pub(super) fn elsewhere(
    order: &Order,
    run_id: &str,
    pods: &Arc<Pods>,
) -> Option<Result<Box<dyn Fault<Elsewhere>>, Error>> {
    if let Some(image) = &order.in_pods {
        let in_pods = InPods::new(order, image, run_id, Arc::clone(pods));
        return Some(in_pods.map(|fault| Box::new(fault) as _));
    }
    match order.kind.split_once('.')?.0 {
        "pod" => Some(on_pods(order)),
        "deployment" => Some(on_deployments(order)),
        "node" => Some(on_nodes(order)),
        "namespace" => Some(on_namespaces(order, run_id)),
        "container" => Some(on_containers(order)),
        _ => None,
    }
}

/// The fault that an order asks for, on processes or packets of this host or pod.
pub(super) fn here(order: &Order, run_id: &str, beats: &Arc<Beats>) -> Result<Box<dyn Fault<Services>>, Error> {
    if let Some(bandwidth) = order.bandwidth {
        return Ok(Box::new(BandwidthFault::new(order, bandwidth, run_id, Arc::clone(beats))));
    }
    if let (Some(Stress::Cpu { workers, load }), Some(processors)) = (&order.stress, order.processors) {
        let fault = CpuOfPod::new(order, *workers, *load, processors, run_id, Arc::clone(beats));
        return Ok(Box::new(fault));
    }
    if let Some(stress) = &order.stress {
        return Ok(stress::on_target(order, stress, run_id, beats));
    }
    if let Some(slow) = order.slow.clone() {
        return Ok(Box::new(DiskLatency::new(order, slow, run_id, Arc::clone(beats))));
    }
    if let Some(pool) = order.pool.clone() {
        return Ok(Box::new(Exhaust::new(order, pool, run_id, Arc::clone(beats))));
    }
    if let Some(wanted) = &order.process {
        let victims = in_container(wanted, order.container_id.as_deref()).map_err(Error::Refused)?;
        return on_processes(&Order { victims, ..order.clone() });
    }
    match order.packets.clone() {
        Some(treatment) => Ok(Box::new(Ladder::new(order, treatment, run_id, Arc::clone(beats)))),
        None => on_processes(order),
    }
}
