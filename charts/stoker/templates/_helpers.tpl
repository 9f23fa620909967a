{{/* Labels that say what a pod is; never changed, since selectors hold them. */}}
{{- define "stoker.selector" -}}
app.kubernetes.io/name: stoker
app.kubernetes.io/component: operator
{{- end }}

{{- define "stoker.labels" -}}
app.kubernetes.io/name: stoker
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of one of the chart's own objects. Takes the root, the object's name and whether it is in the namespace. */}}
{{- define "stoker.metadata" -}}
name: {{ .name }}
{{- if not .clusterWide }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "stoker.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* An object that the plain manifests have as well: our labels, and this release's namespace and service account. */}}
{{- define "stoker.object" -}}
{{- $labels := merge (dict) (include "stoker.labels" .root | fromYaml) (.object.metadata.labels | default dict) }}
{{- $_ := set .object.metadata "labels" $labels }}
{{- if .object.metadata.namespace }}
{{- $_ := set .object.metadata "namespace" .root.Release.Namespace }}
{{- end }}
{{- range .object.subjects }}
{{- if eq .kind "ServiceAccount" }}
{{- $_ := set . "name" $.root.Values.serviceAccount.name }}
{{- $_ := set . "namespace" $.root.Release.Namespace }}
{{- end }}
{{- end }}
{{- with .annotations }}
{{- $_ := set $.object.metadata "annotations" . }}
{{- end }}
---
{{ toYaml .object }}
{{- end }}

{{- define "stoker.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Whether this cluster lets policies write (Kubernetes 1.36). */}}
{{- define "stoker.stamps" -}}
{{- $served := .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- if and .Values.admissionPolicies.enabled (or (eq .Values.admissionPolicies.stamp "Always") (and (eq .Values.admissionPolicies.stamp "Auto") $served)) -}}
true
{{- end }}
{{- end }}

{{/* Who the operator is, where it runs; the same for the pod of `helm test`. */}}
{{- define "stoker.pod" -}}
serviceAccountName: {{ .Values.serviceAccount.name }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "stoker.container" -}}
image: {{ include "stoker.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "stoker.env" -}}
- name: STOKER_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- range $name, $value := .Values.settings }}
- name: STOKER_{{ snakecase $name | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
