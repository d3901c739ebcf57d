// Package loopback serves images from a registry on this machine, with TLS by an authority of its own and a password,
// as a stand-in for the registry that publishes them.
package loopback

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd" // access control that the configuration names
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // storage that the configuration names
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

// User is the only user of the registry.
const User = "conformance"

// The files of a registry's folder.
const (
	caFile       = "ca.pem"
	htpasswdFile = "htpasswd"
	dockerDir    = "docker"
	storageDir   = "storage"
)

// Options of a registry.
type Options struct {
	// Dir is the registry's folder; it keeps images, certificates and credentials.
	Dir string
	// Address is a loopback address with a port, 127.0.0.1:0 for any.
	Address string
	// Around wraps the registry's handler; nil means none. Tests put faults there.
	Around func(http.Handler) http.Handler
}

// Server is a registry that runs.
type Server struct {
	// Host is the address that references begin with, 127.0.0.1:PORT.
	Host string
	// CAFile has the certificate of the authority to trust, DockerConfig is the folder with the credentials: a value for
	// the environment variable DOCKER_CONFIG.
	CAFile, DockerConfig string
	// Password of User.
	Password string
	server   *http.Server
	done     chan error
}

// Start serves a registry until Close.
func Start(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, err
	}
	host := listener.Addr().String()
	if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is no loopback address", host), listener.Close())
	}
	s := &Server{
		Host: host, CAFile: filepath.Join(o.Dir, caFile), DockerConfig: filepath.Join(o.Dir, dockerDir), Password: rand.Text(), done: make(chan error, 1),
	}
	certificate, err := s.prepare(o)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	handler := http.Handler(handlers.NewApp(context.Background(), config(o, host)))
	if o.Around != nil {
		handler = o.Around(handler)
	}
	s.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
	}
	go func() { s.done <- s.server.ServeTLS(listener, "", "") }()
	return s, nil
}

// Close ends the registry; its folder stays.
func (s *Server) Close() error {
	err := s.server.Close()
	if ended := <-s.done; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

func config(o Options, host string) *configuration.Configuration {
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{
		Version: configuration.CurrentVersion,
		Storage: configuration.Storage{
			"filesystem":  configuration.Parameters{"rootdirectory": filepath.Join(o.Dir, storageDir)},
			"delete":      configuration.Parameters{"enabled": true},
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
		Auth: configuration.Auth{"htpasswd": configuration.Parameters{"realm": "conformance", "path": filepath.Join(o.Dir, htpasswdFile)}},
	}
	c.HTTP.Host, c.HTTP.Secret = "https://"+host, rand.Text()
	c.Log.Level, c.Log.AccessLog.Disabled = "error", true
	return c
}

// prepare writes credentials and certificates into the registry's folder.
func (s *Server) prepare(o Options) (tls.Certificate, error) {
	var none tls.Certificate
	if err := os.MkdirAll(s.DockerConfig, 0o700); err != nil {
		return none, err
	}
	hashed, err := bcrypt.GenerateFromPassword([]byte(s.Password), bcrypt.MinCost)
	if err != nil {
		return none, err
	}
	certificate, authority, err := certificates(s.Host)
	if err != nil {
		return none, err
	}
	return certificate, errors.Join(
		os.WriteFile(filepath.Join(o.Dir, htpasswdFile), []byte(User+":"+string(hashed)+"\n"), 0o600),
		os.WriteFile(s.CAFile, authority, 0o644),
		WriteCredentials(s.DockerConfig, s.Host, s.Password),
	)
}

// WriteCredentials writes a config.json with the password of User at a registry into a folder, as docker login does.
func WriteCredentials(dir, host, password string) error {
	auth := base64.StdEncoding.EncodeToString([]byte(User + ":" + password))
	content, err := json.Marshal(map[string]any{"auths": map[string]any{host: map[string]string{"auth": auth}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600)
}

// certificates makes an authority, and a certificate by it for an address. The authority's is returned as PEM.
func certificates(address string) (server tls.Certificate, authority []byte, err error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return server, nil, err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return server, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return server, nil, err
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "mesh-conformance loopback registry"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 1, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return server, nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return server, nil, err
	}
	server = tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), nil
}
