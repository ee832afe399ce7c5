//! The demo shop in pods: gateway -> orders -> payments, each a Deployment with a Service before it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use brunt_injector::namespace::Namespace;
use serde_json::{Value, json};

use super::{Cluster, SHOP_IMAGE};
use crate::host;

/// Where the services listen in their pods.
const PORT: u16 = 8080;

/// The shop in a namespace of its own; dropping it removes the namespace.
#[derive(Debug)]
pub struct Shop<'cluster> {
    cluster: &'cluster Cluster,
    /// The namespace of Kubernetes in which it is.
    pub namespace: String,
    gateway: String,
    payments: String,
}

impl<'cluster> Shop<'cluster> {
    /// Opens it, with so many pods for payments; returns when all pods are ready, and orders are taken one after another: a
    /// node leads to a pod that is ready once its proxy has heard of it, and a fresh network loses the first packets.
    #[track_caller]
    pub fn open(cluster: &'cluster Cluster, namespace: &str, payments: u32) -> Self {
        cluster.kubectl(&["create", "namespace", namespace]);
        // An address each, which those who call need before they start: there is no name server in the cluster.
        let services = cluster.create(namespace, &["gateway", "orders", "payments"].map(service));
        let url = |at: usize| {
            let address = services[at]["spec"]["clusterIP"].as_str().expect("the API server gave it an address");
            format!("http://{address}:80")
        };
        let shop = Self { cluster, namespace: namespace.to_owned(), gateway: url(0), payments: url(2) };
        // A pod is admitted once its namespace has its account.
        cluster.kubectl(&["wait", "--for=create", "serviceaccount/default", "--namespace", namespace, "--timeout=60s"]);
        let deployments = [
            deployment("payments", payments, &by_name()),
            deployment("orders", 1, &json!([{ "name": "PAYMENTS_URLS", "value": url(2) }])),
            deployment("gateway", 1, &json!([{ "name": "ORDERS_URL", "value": url(1) }])),
        ];
        cluster.create(namespace, &deployments);
        for name in ["payments", "orders", "gateway"] {
            shop.rolled_out(name);
        }
        shop.takes_forty(&shop.gateway, "/orders");
        shop
    }

    /// Returns when forty in a row are taken there. A connection to an address of a Service whose pod has just gone gets no
    /// answer at all, however often it asks.
    #[track_caller]
    pub fn takes_forty(&self, url: &str, path: &str) {
        let network = Namespace::named(self.cluster.network()).expect("the cluster runs");
        let forty = || (0..40).try_for_each(|number| take(url, path, number));
        let takes = || network.inside(forty).expect("root may enter").is_ok();
        assert!(host::comes_true(Duration::from_secs(60), takes), "{url}{path} takes no 40 in a row");
    }

    /// Waits until as many pods of this deployment are ready as there should be.
    #[track_caller]
    pub fn rolled_out(&self, deployment: &str) {
        self.kubectl(&["rollout", "status", &format!("deployment/{deployment}"), "--timeout=120s"]);
    }

    /// `kubectl ARGS` in its namespace.
    #[track_caller]
    pub fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(&[&["--namespace", &self.namespace], args].concat())
    }

    /// Where orders are given: a Service's address.
    pub fn url(&self) -> &str {
        &self.gateway
    }

    /// Where payments are made: a Service's address.
    pub fn payments_url(&self) -> &str {
        &self.payments
    }

    /// The pods of that deployment which nobody has asked to end, sorted by name.
    #[track_caller]
    pub fn pods(&self, deployment: &str) -> Vec<Value> {
        let label = format!("app={deployment}");
        let list = self.cluster.get(&["pods", "--namespace", &self.namespace, "--selector", &label]);
        let mut pods = list["items"].as_array().expect("a list").clone();
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods.sort_by_key(|pod| pod["metadata"]["name"].as_str().map(str::to_owned));
        pods
    }

    /// Another deployment of payments, with one pod, and a Service of its own; its name is `payments-canary`. Returns where
    /// payments are made at it.
    #[track_caller]
    pub fn canary(&self) -> String {
        let name = json!("payments-canary");
        let mut canary = deployment("payments", 1, &json!([]));
        canary["metadata"]["name"] = name.clone();
        for labels in ["/spec/selector/matchLabels/app", "/spec/template/metadata/labels/app"] {
            *canary.pointer_mut(labels).expect("every deployment has it") = name.clone();
        }
        let made = self.cluster.create(&self.namespace, &[service("payments-canary"), canary]);
        self.rolled_out("payments-canary");
        let address = made[0]["spec"]["clusterIP"].as_str().expect("the API server gave it an address");
        format!("http://{address}:80")
    }

    /// A budget: never fewer than so many pods of that deployment by an eviction.
    #[track_caller]
    pub fn keep(&self, deployment: &str, at_least: u32) {
        let budget = json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": { "name": deployment },
            "spec": { "minAvailable": at_least, "selector": { "matchLabels": { "app": deployment } } },
        });
        self.cluster.create(&self.namespace, &[budget]);
        // Until the controller has counted, it allows nothing.
        let counted = "--for=jsonpath={.status.expectedPods}";
        self.kubectl(&["wait", counted, &format!("poddisruptionbudget/{deployment}"), "--timeout=60s"]);
    }
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        let _ = self.cluster.command(&["delete", "namespace", &self.namespace, "--wait=false"]).output();
    }
}

/// Gives one order, or makes one payment, which must be taken within half a second.
fn take(url: &str, path: &str, number: u32) -> io::Result<()> {
    let address: SocketAddr = url.trim_start_matches("http://").parse().map_err(io::Error::other)?;
    let patience = Duration::from_millis(500);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let body = json!({ "sku": "A1", "order": "opening", "amount": 1 }).to_string();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: shop\r\nIdempotency-Key: opening-{number}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    if reply.starts_with("HTTP/1.1 201") { Ok(()) } else { Err(io::Error::other(reply)) }
}

/// Each pod knows what it is called, and says so in its replies.
fn by_name() -> Value {
    json!([{ "name": "INSTANCE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }])
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name },
        "spec": { "selector": { "app": name }, "ports": [{ "port": 80, "targetPort": PORT }] },
    })
}

fn deployment(name: &str, replicas: u32, environment: &Value) -> Value {
    let container = json!({
        "name": name,
        "image": SHOP_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/brunt", "demo-service", name, "--port", PORT.to_string(), "--address", "0.0.0.0"],
        "env": environment,
        "readinessProbe": { "httpGet": { "path": "/healthz", "port": PORT }, "periodSeconds": 1 },
        "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "128Mi" } },
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": false,
                    // One node that is lost does not take all of them with it.
                    "topologySpreadConstraints": [{
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "labelSelector": { "matchLabels": { "app": name } },
                    }],
                    "containers": [container],
                },
            },
        },
    })
}
