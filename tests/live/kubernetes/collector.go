// Kubernetes' own garbage collector alone, of all that a kube-controller-manager runs.
// usage: garbage-collector KUBECONFIG
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config := must(clientcmd.BuildConfigFromFlags("", os.Args[1]))
	config.QPS *= 2
	client := must(kubernetes.NewForConfig(config))
	things := must(metadata.NewForConfig(config))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	typed := informers.NewSharedInformerFactory(client, 0)
	plain := metadatainformer.NewSharedInformerFactory(things, 0)
	factory := informerfactory.NewInformerFactory(typed, plain)
	begun := make(chan struct{})
	ignored := garbagecollector.DefaultIgnoredResources()
	collector := must(garbagecollector.NewGarbageCollector(ctx, client, things, mapper, ignored, factory, begun))
	go collector.Sync(ctx, client.Discovery(), time.Second)
	factory.Start(ctx.Done())
	close(begun)
	collector.Run(ctx, 4, 30*time.Second)
}
