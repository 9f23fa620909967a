#!/usr/bin/env bash
# Stoker in a kind cluster, against the OpenStack simulator on this machine: `make kind-demo`.
# Needs Linux, Docker, kind and kubectl. It leaves the cluster; `kind delete cluster --name stoker` removes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

image=stoker:$(.venv/bin/stoker --version)
known=$(mktemp)
k() { kubectl --context kind-stoker "$@"; }

docker build --file deploy/Dockerfile --tag "$image" .
kind get clusters | grep -qx stoker || kind create cluster --config deploy/kind/kind.yaml --wait 3m
kind load docker-image "$image" --name stoker

# The simulator listens where the cluster's node reaches this machine: at the gateway of kind's network.
gateway=$(docker network inspect kind --format '{{range .IPAM.Config}}{{println .Gateway}}{{end}}' | grep -m1 -F .)
tests/simulator/stoker-sim --host "$gateway" --port 15050 --project team-a > "$known" &
simulator=$!
trap 'kill $simulator' EXIT
for _ in $(seq 100); do grep -q auth_url "$known" && break; sleep 0.1; done

k apply --server-side -f crds/
k wait --for=jsonpath='{.status.conditions}' --timeout=60s -f crds/ # before it, the next line may fail
k wait --for=condition=Established --timeout=60s -f crds/
k apply --server-side -f deploy/manifests/
.venv/bin/stoker templates | k apply --server-side -f -
k get namespace team-a > /dev/null 2>&1 || k create namespace team-a
.venv/bin/python deploy/kind/tenant.py "$known" | k apply --server-side -f -
k apply --server-side -f deploy/operator.yaml
k -n stoker-system rollout status statefulset/stoker --timeout=5m

k apply -n team-a -f deploy/examples/vm-minimal.yaml
k wait -n team-a --for=condition=Ready --timeout=3m -f deploy/examples/vm-minimal.yaml
k get osvm,osvmop -n team-a -o wide
k delete -n team-a --timeout=3m -f deploy/examples/vm-minimal.yaml
k -n stoker-system exec stoker-0 -- stoker audit verify
