//! Endpoint slices: which pods Services send to.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;

use super::Told;

/// What it names as ready.
pub(super) fn now(slice: EndpointSlice) -> Told {
    let name = slice.name_any();
    let ready = slice
        .endpoints
        .into_iter()
        .filter(|one| one.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true)));
    Told::Slice { name, ready: ready.filter_map(|one| one.target_ref?.uid).collect() }
}
