package main

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// assign gives the security contexts of a pod and of its containers what restricted-v2 assigns where they
// leave it open.
func assign(spec *corev1.PodSpec, to allotment) {
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	if spec.SecurityContext.FSGroup == nil {
		spec.SecurityContext.FSGroup = &to.fsGroup
	}
	if spec.SecurityContext.SeccompProfile == nil {
		spec.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	for _, container := range containers(spec) {
		if container.SecurityContext == nil {
			container.SecurityContext = &corev1.SecurityContext{}
		}
		context := container.SecurityContext
		if context.RunAsUser == nil && spec.SecurityContext.RunAsUser == nil {
			context.RunAsUser = &to.users.first
		}
		// The API server takes no container that is both privileged and kept from escalation, and would say that
		// instead of what the constraint says.
		if context.AllowPrivilegeEscalation == nil && (context.Privileged == nil || !*context.Privileged) {
			context.AllowPrivilegeEscalation = new(bool)
		}
		if context.Capabilities == nil {
			context.Capabilities = &corev1.Capabilities{}
		}
		if !slices.Contains(context.Capabilities.Drop, "ALL") {
			context.Capabilities.Drop = append(context.Capabilities.Drop, "ALL")
		}
	}
}

// violations are what restricted-v2 does not allow of a pod, each in words.
func violations(spec *corev1.PodSpec, of allotment) []string {
	var found []string
	complain := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for what, wanted := range map[string]bool{"network": spec.HostNetwork, "process ids": spec.HostPID, "IPC": spec.HostIPC} {
		if wanted {
			complain("the pod may not use the host's %s", what)
		}
	}
	slices.Sort(found)
	pod := spec.SecurityContext
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	switch group := pod.FSGroup; {
	case group == nil:
		complain("the pod has no fsGroup")
	case *group != of.fsGroup:
		complain("fsGroup %d is not %d", *group, of.fsGroup)
	}
	if profile := pod.SeccompProfile; profile != nil && profile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		complain("the pod may not have seccomp profile %s", profile.Type)
	}
	for _, volume := range spec.Volumes {
		if !allowed(volume.VolumeSource) {
			complain("volume %s is of a type that is not allowed", volume.Name)
		}
	}
	for _, container := range containers(spec) {
		for _, violation := range ofContainer(container, pod.RunAsUser, of) {
			complain("container %s: %s", container.Name, violation)
		}
	}
	return found
}

// ofContainer are the violations of one container; user is what the pod has for those that name none.
func ofContainer(container *corev1.Container, user *int64, of allotment) []string {
	var found []string
	complain := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	context := container.SecurityContext
	if context == nil {
		context = &corev1.SecurityContext{}
	}
	if context.RunAsUser != nil {
		user = context.RunAsUser
	}
	switch {
	case user == nil:
		complain("has no runAsUser")
	case !of.users.holds(*user):
		complain("runAsUser %d is not in %s", *user, of.users)
	}
	if context.Privileged != nil && *context.Privileged {
		complain("may not be privileged")
	}
	if context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation {
		complain("may not allow privilege escalation")
	}
	capabilities := context.Capabilities
	if capabilities == nil {
		capabilities = &corev1.Capabilities{}
	}
	for _, capability := range capabilities.Add {
		if capability != "NET_BIND_SERVICE" {
			complain("may not add capability %s", capability)
		}
	}
	if !slices.Contains(capabilities.Drop, "ALL") {
		complain("does not drop all capabilities")
	}
	if profile := context.SeccompProfile; profile != nil && profile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		complain("may not have seccomp profile %s", profile.Type)
	}
	for _, port := range container.Ports {
		if port.HostPort != 0 {
			complain("may not have host port %d", port.HostPort)
		}
	}
	return found
}

// allowed says whether a volume is of one of the constraint's types.
func allowed(v corev1.VolumeSource) bool {
	return v.ConfigMap != nil || v.CSI != nil || v.DownwardAPI != nil || v.EmptyDir != nil ||
		v.Ephemeral != nil || v.PersistentVolumeClaim != nil || v.Projected != nil || v.Secret != nil
}

// containers are all that a pod is created with.
func containers(spec *corev1.PodSpec) []*corev1.Container {
	all := make([]*corev1.Container, 0, len(spec.InitContainers)+len(spec.Containers))
	for i := range spec.InitContainers {
		all = append(all, &spec.InitContainers[i])
	}
	for i := range spec.Containers {
		all = append(all, &spec.Containers[i])
	}
	return all
}
