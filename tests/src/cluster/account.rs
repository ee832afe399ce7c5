//! Service accounts with few rights: what brunt may do is what a Role says.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Cluster;

impl Cluster {
    /// A service account in that namespace whose Role there has these rules, and the kubeconfig by which it is used. A rule is
    /// as a Role has it: `{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }`.
    #[track_caller]
    pub fn account(&self, namespace: &str, name: &str, rules: &Value) -> PathBuf {
        self.granted(namespace, name, "Role", rules)
    }

    /// One that also has these rights in the whole cluster.
    #[track_caller]
    pub fn account_with_cluster_rights(&self, namespace: &str, name: &str, rules: &Value, cluster: &Value) -> PathBuf {
        let kubeconfig = self.granted(namespace, name, "Role", rules);
        self.create(namespace, &grant(namespace, name, "ClusterRole", cluster));
        kubeconfig
    }

    #[track_caller]
    fn granted(&self, namespace: &str, name: &str, kind: &str, rules: &Value) -> PathBuf {
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        self.create(namespace, &[account]);
        self.create(namespace, &grant(namespace, name, kind, rules));
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace, "--duration", "1h"]);
        let text = self.kubectl(&["config", "view", "--raw", "--output", "json"]);
        let mut config: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        config["users"][0]["user"] = json!({ "token": token.trim() });
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        let path = self.folder.join(format!("{namespace}-{name}.kubeconfig"));
        fs::write(&path, config.to_string()).expect("the folder is ours");
        path
    }
}

/// A role, and that the account has it.
fn grant(namespace: &str, name: &str, kind: &str, rules: &Value) -> [Value; 2] {
    // Names of what belongs to no namespace must not meet.
    let role = if kind == "Role" { name.to_owned() } else { format!("{namespace}-{name}") };
    let api = "rbac.authorization.k8s.io";
    [
        json!({ "apiVersion": format!("{api}/v1"), "kind": kind, "metadata": { "name": role }, "rules": rules }),
        json!({
            "apiVersion": format!("{api}/v1"),
            "kind": format!("{kind}Binding"),
            "metadata": { "name": role },
            "roleRef": { "apiGroup": api, "kind": kind, "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        }),
    ]
}
