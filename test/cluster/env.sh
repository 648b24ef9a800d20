# Where the test cluster is. The other scripts source it; source it yourself for kubectl, helm and KUBECONFIG.
: "${CLUSTER_HOME:=${HOME:-/root}/.cache/tulle-cluster}" # binaries and base images, kept
: "${CLUSTER_RUN:=/var/lib/tulle-cluster}"               # the running cluster, removed by `down`
export CLUSTER_HOME CLUSTER_RUN
export PATH="$CLUSTER_HOME/bin:$PATH" KUBECONFIG="$CLUSTER_RUN/admin.kubeconfig"
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay

# The node is a network namespace, so that its rules and addresses stay in there.
CLUSTER_NETNS=tulle-node
NODE_IP=10.123.0.2 HOST_IP=10.123.0.1
export CLUSTER_NETNS NODE_IP HOST_IP
SERVICE_CIDR=10.96.0.0/16 API_SERVICE_IP=10.96.0.1 DNS_IP=10.96.0.10
CLUSTER_CIDR=10.244.0.0/16 POD_CIDR=10.244.0.0/24
export CONTAINERD_SOCKET=$CLUSTER_RUN/containerd.sock

in_node() { nsenter --net="/run/netns/$CLUSTER_NETNS" "$@"; }
say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
