// cluster is every server of a Kubernetes cluster, and kubectl, in one program: as one binary they share most of their code,
// so that building and keeping them costs a tenth of what seven would. It is built from the Go modules of Kubernetes and etcd
// as they are published; no part of it ships with brunt.
package main

import (
	"context"
	"fmt"
	"os"
	_ "time/tzdata"

	"github.com/spf13/cobra"
	etcd "go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	complaint "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The first argument names the part; it sees the rest as its own command line.
func main() {
	if len(os.Args) < 2 {
		usage()
	}
	os.Args = os.Args[1:]
	var part *cobra.Command
	switch os.Args[0] {
	case "etcd":
		etcd.Main(os.Args)
		return
	case "kubectl":
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			complaint.CheckErr(err)
		}
		return
	case "kube-apiserver":
		part = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		part = controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		part = scheduler.NewSchedulerCommand()
	case "kube-proxy":
		part = proxy.NewProxyCommand()
	case "kubelet":
		part = kubelet.NewKubeletCommand(context.Background())
	default:
		usage()
	}
	os.Exit(cli.Run(part))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: cluster etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kube-proxy|kubectl [ARGS]")
	os.Exit(2)
}
