package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"mesh-conformance/kindconfig"
	"mesh-conformance/suites/internal/kube"
)

// The mark of a cluster that was provisioned whole: a ConfigMap beside kubeadm's own.
const (
	markNamespace = "kube-system"
	markName      = "mesh-conformance"
	markCell      = "cell"
	markFacts     = "facts"
)

// Mark notes in the cluster that it was provisioned for a cell, and what was found out doing so.
func Mark(ctx context.Context, client *kube.Client, cell *kindconfig.Cell, facts any) error {
	encoded, err := json.Marshal(facts)
	if err != nil {
		return fmt.Errorf("encode what provisioning found: %w", err)
	}
	fingerprint, err := fingerprint(cell)
	if err != nil {
		return err
	}
	mark := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: markNamespace, Name: markName},
		Data:       map[string]string{markCell: fingerprint, markFacts: string(encoded)},
	}
	if _, err := client.Clientset.CoreV1().ConfigMaps(markNamespace).Create(ctx, mark, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("mark the cluster as provisioned: %w", err)
	}
	return nil
}

// Marked reads the mark into facts. An error says why the cluster does not serve for the cell.
func Marked(ctx context.Context, client *kube.Client, cell *kindconfig.Cell, facts any) error {
	mark, err := client.Clientset.CoreV1().ConfigMaps(markNamespace).Get(ctx, markName, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("it was not provisioned whole: %w", err)
	}
	fingerprint, err := fingerprint(cell)
	if err != nil {
		return err
	}
	if mark.Data[markCell] != fingerprint {
		return fmt.Errorf("it was provisioned for another cell")
	}
	return json.Unmarshal([]byte(mark.Data[markFacts]), facts)
}

// fingerprint is of everything that decides what runs in the cluster. What was read from proxies is not part of it: the
// next run does not know it yet.
func fingerprint(cell *kindconfig.Cell) (string, error) {
	encoded, err := json.Marshal(cell.Unread())
	if err != nil {
		return "", fmt.Errorf("encode the cell: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}
