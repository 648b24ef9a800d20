{{- define "tulle.labels" -}}
app.kubernetes.io/name: tulle
app.kubernetes.io/part-of: tulle
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "tulle.selector" -}}
app.kubernetes.io/name: tulle
app.kubernetes.io/component: control-plane
{{- end }}

{{/* tulle.image (list . "tulle/sidecar") */}}
{{- define "tulle.image" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.images.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ index . 1 }}:{{ $root.Values.images.tag | default $root.Chart.AppVersion }}
{{- end }}

{{/* What Pod Security "restricted" asks of a container, and a root file system that can't be written. */}}
{{- define "tulle.locked" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* What injection is told: control-plane/injection/config.ts reads it, and tulle inject --config. */}}
{{- define "tulle.injection" -}}
namespace: {{ .Release.Namespace }}
controlPlane: tulle-control-plane.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
trustDomain: {{ .Values.trustDomain | quote }}
images:
  sidecar: {{ include "tulle.image" (list . .Values.images.sidecar) }}
  init: {{ include "tulle.image" (list . .Values.images.init) }}
  pullPolicy: {{ .Values.images.pullPolicy }}
tracing: {{ toJson .Values.tracing }}
kubernetesMinor: {{ regexFind "^[0-9]+" .Capabilities.KubeVersion.Minor }}
defaults: {{ toJson .Values.injection.defaults }}
{{- end }}

{{/* Where pods of the chart run, and with which Secrets their images are pulled. */}}
{{- define "tulle.placement" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.controlPlane.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.controlPlane.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}

{{/* tulle.uninstallHook WEIGHT: around helm uninstall. */}}
{{- define "tulle.uninstallHook" -}}
helm.sh/hook: pre-delete,post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
