import type * as grpc from '@grpc/grpc-js';
import type { EnumTypeDefinition, MessageTypeDefinition } from '@grpc/proto-loader';

import type { AccessLog as _tulle_v1_AccessLog, AccessLog__Output as _tulle_v1_AccessLog__Output } from './tulle/v1/AccessLog.ts';
import type { AccessRule as _tulle_v1_AccessRule, AccessRule__Output as _tulle_v1_AccessRule__Output } from './tulle/v1/AccessRule.ts';
import type { AccessRules as _tulle_v1_AccessRules, AccessRules__Output as _tulle_v1_AccessRules__Output } from './tulle/v1/AccessRules.ts';
import type { Ack as _tulle_v1_Ack, Ack__Output as _tulle_v1_Ack__Output } from './tulle/v1/Ack.ts';
import type { BreakerReport as _tulle_v1_BreakerReport, BreakerReport__Output as _tulle_v1_BreakerReport__Output } from './tulle/v1/BreakerReport.ts';
import type { CallerMatch as _tulle_v1_CallerMatch, CallerMatch__Output as _tulle_v1_CallerMatch__Output } from './tulle/v1/CallerMatch.ts';
import type { CircuitBreakerPolicy as _tulle_v1_CircuitBreakerPolicy, CircuitBreakerPolicy__Output as _tulle_v1_CircuitBreakerPolicy__Output } from './tulle/v1/CircuitBreakerPolicy.ts';
import type { ConsumerRoutes as _tulle_v1_ConsumerRoutes, ConsumerRoutes__Output as _tulle_v1_ConsumerRoutes__Output } from './tulle/v1/ConsumerRoutes.ts';
import type { Destination as _tulle_v1_Destination, Destination__Output as _tulle_v1_Destination__Output } from './tulle/v1/Destination.ts';
import type { DiscoveryClient as _tulle_v1_DiscoveryClient, DiscoveryDefinition as _tulle_v1_DiscoveryDefinition } from './tulle/v1/Discovery.ts';
import type { EdgeTraffic as _tulle_v1_EdgeTraffic, EdgeTraffic__Output as _tulle_v1_EdgeTraffic__Output } from './tulle/v1/EdgeTraffic.ts';
import type { Endpoint as _tulle_v1_Endpoint, Endpoint__Output as _tulle_v1_Endpoint__Output } from './tulle/v1/Endpoint.ts';
import type { Endpoints as _tulle_v1_Endpoints, Endpoints__Output as _tulle_v1_Endpoints__Output } from './tulle/v1/Endpoints.ts';
import type { FaultAbort as _tulle_v1_FaultAbort, FaultAbort__Output as _tulle_v1_FaultAbort__Output } from './tulle/v1/FaultAbort.ts';
import type { FaultDelay as _tulle_v1_FaultDelay, FaultDelay__Output as _tulle_v1_FaultDelay__Output } from './tulle/v1/FaultDelay.ts';
import type { FaultPolicy as _tulle_v1_FaultPolicy, FaultPolicy__Output as _tulle_v1_FaultPolicy__Output } from './tulle/v1/FaultPolicy.ts';
import type { HeaderEdits as _tulle_v1_HeaderEdits, HeaderEdits__Output as _tulle_v1_HeaderEdits__Output } from './tulle/v1/HeaderEdits.ts';
import type { HeaderField as _tulle_v1_HeaderField, HeaderField__Output as _tulle_v1_HeaderField__Output } from './tulle/v1/HeaderField.ts';
import type { Hello as _tulle_v1_Hello, Hello__Output as _tulle_v1_Hello__Output } from './tulle/v1/Hello.ts';
import type { IdempotencyRules as _tulle_v1_IdempotencyRules, IdempotencyRules__Output as _tulle_v1_IdempotencyRules__Output } from './tulle/v1/IdempotencyRules.ts';
import type { Inbound as _tulle_v1_Inbound, Inbound__Output as _tulle_v1_Inbound__Output } from './tulle/v1/Inbound.ts';
import type { InboundPort as _tulle_v1_InboundPort, InboundPort__Output as _tulle_v1_InboundPort__Output } from './tulle/v1/InboundPort.ts';
import type { KnownKeys as _tulle_v1_KnownKeys, KnownKeys__Output as _tulle_v1_KnownKeys__Output } from './tulle/v1/KnownKeys.ts';
import type { Nack as _tulle_v1_Nack, Nack__Output as _tulle_v1_Nack__Output } from './tulle/v1/Nack.ts';
import type { NamespaceMatch as _tulle_v1_NamespaceMatch, NamespaceMatch__Output as _tulle_v1_NamespaceMatch__Output } from './tulle/v1/NamespaceMatch.ts';
import type { PathMatch as _tulle_v1_PathMatch, PathMatch__Output as _tulle_v1_PathMatch__Output } from './tulle/v1/PathMatch.ts';
import type { PathRewrite as _tulle_v1_PathRewrite, PathRewrite__Output as _tulle_v1_PathRewrite__Output } from './tulle/v1/PathRewrite.ts';
import type { PortPolicies as _tulle_v1_PortPolicies, PortPolicies__Output as _tulle_v1_PortPolicies__Output } from './tulle/v1/PortPolicies.ts';
import type { RateLimit as _tulle_v1_RateLimit, RateLimit__Output as _tulle_v1_RateLimit__Output } from './tulle/v1/RateLimit.ts';
import type { RateLimits as _tulle_v1_RateLimits, RateLimits__Output as _tulle_v1_RateLimits__Output } from './tulle/v1/RateLimits.ts';
import type { Redirect as _tulle_v1_Redirect, Redirect__Output as _tulle_v1_Redirect__Output } from './tulle/v1/Redirect.ts';
import type { Refusal as _tulle_v1_Refusal, Refusal__Output as _tulle_v1_Refusal__Output } from './tulle/v1/Refusal.ts';
import type { ReportedSpan as _tulle_v1_ReportedSpan, ReportedSpan__Output as _tulle_v1_ReportedSpan__Output } from './tulle/v1/ReportedSpan.ts';
import type { Resource as _tulle_v1_Resource, Resource__Output as _tulle_v1_Resource__Output } from './tulle/v1/Resource.ts';
import type { ResourceName as _tulle_v1_ResourceName, ResourceName__Output as _tulle_v1_ResourceName__Output } from './tulle/v1/ResourceName.ts';
import type { RetryBudget as _tulle_v1_RetryBudget, RetryBudget__Output as _tulle_v1_RetryBudget__Output } from './tulle/v1/RetryBudget.ts';
import type { RetryPolicy as _tulle_v1_RetryPolicy, RetryPolicy__Output as _tulle_v1_RetryPolicy__Output } from './tulle/v1/RetryPolicy.ts';
import type { Rewrite as _tulle_v1_Rewrite, Rewrite__Output as _tulle_v1_Rewrite__Output } from './tulle/v1/Rewrite.ts';
import type { Route as _tulle_v1_Route, Route__Output as _tulle_v1_Route__Output } from './tulle/v1/Route.ts';
import type { RouteFilter as _tulle_v1_RouteFilter, RouteFilter__Output as _tulle_v1_RouteFilter__Output } from './tulle/v1/RouteFilter.ts';
import type { RouteMatch as _tulle_v1_RouteMatch, RouteMatch__Output as _tulle_v1_RouteMatch__Output } from './tulle/v1/RouteMatch.ts';
import type { RouteMirror as _tulle_v1_RouteMirror, RouteMirror__Output as _tulle_v1_RouteMirror__Output } from './tulle/v1/RouteMirror.ts';
import type { ServiceLatency as _tulle_v1_ServiceLatency, ServiceLatency__Output as _tulle_v1_ServiceLatency__Output } from './tulle/v1/ServiceLatency.ts';
import type { ServiceRef as _tulle_v1_ServiceRef, ServiceRef__Output as _tulle_v1_ServiceRef__Output } from './tulle/v1/ServiceRef.ts';
import type { SidecarMessage as _tulle_v1_SidecarMessage, SidecarMessage__Output as _tulle_v1_SidecarMessage__Output } from './tulle/v1/SidecarMessage.ts';
import type { SpanAttribute as _tulle_v1_SpanAttribute, SpanAttribute__Output as _tulle_v1_SpanAttribute__Output } from './tulle/v1/SpanAttribute.ts';
import type { Sticky as _tulle_v1_Sticky, Sticky__Output as _tulle_v1_Sticky__Output } from './tulle/v1/Sticky.ts';
import type { Subscribe as _tulle_v1_Subscribe, Subscribe__Output as _tulle_v1_Subscribe__Output } from './tulle/v1/Subscribe.ts';
import type { Subscription as _tulle_v1_Subscription, Subscription__Output as _tulle_v1_Subscription__Output } from './tulle/v1/Subscription.ts';
import type { TimeoutPolicy as _tulle_v1_TimeoutPolicy, TimeoutPolicy__Output as _tulle_v1_TimeoutPolicy__Output } from './tulle/v1/TimeoutPolicy.ts';
import type { TrafficReport as _tulle_v1_TrafficReport, TrafficReport__Output as _tulle_v1_TrafficReport__Output } from './tulle/v1/TrafficReport.ts';
import type { Unsubscribe as _tulle_v1_Unsubscribe, Unsubscribe__Output as _tulle_v1_Unsubscribe__Output } from './tulle/v1/Unsubscribe.ts';
import type { Update as _tulle_v1_Update, Update__Output as _tulle_v1_Update__Output } from './tulle/v1/Update.ts';
import type { ValueMatch as _tulle_v1_ValueMatch, ValueMatch__Output as _tulle_v1_ValueMatch__Output } from './tulle/v1/ValueMatch.ts';
import type { WeightedBackend as _tulle_v1_WeightedBackend, WeightedBackend__Output as _tulle_v1_WeightedBackend__Output } from './tulle/v1/WeightedBackend.ts';

type SubtypeConstructor<Constructor extends new (...args: any) => any, Subtype> = {
  new(...args: ConstructorParameters<Constructor>): Subtype;
};

export interface ProtoGrpcType {
  tulle: {
    v1: {
      AccessAction: EnumTypeDefinition
      AccessLog: MessageTypeDefinition<_tulle_v1_AccessLog, _tulle_v1_AccessLog__Output>
      AccessMode: EnumTypeDefinition
      AccessRule: MessageTypeDefinition<_tulle_v1_AccessRule, _tulle_v1_AccessRule__Output>
      AccessRules: MessageTypeDefinition<_tulle_v1_AccessRules, _tulle_v1_AccessRules__Output>
      Ack: MessageTypeDefinition<_tulle_v1_Ack, _tulle_v1_Ack__Output>
      AnswerStore: EnumTypeDefinition
      BreakerReport: MessageTypeDefinition<_tulle_v1_BreakerReport, _tulle_v1_BreakerReport__Output>
      BreakerScope: EnumTypeDefinition
      CallerMatch: MessageTypeDefinition<_tulle_v1_CallerMatch, _tulle_v1_CallerMatch__Output>
      CircuitBreakerPolicy: MessageTypeDefinition<_tulle_v1_CircuitBreakerPolicy, _tulle_v1_CircuitBreakerPolicy__Output>
      ConsumerRoutes: MessageTypeDefinition<_tulle_v1_ConsumerRoutes, _tulle_v1_ConsumerRoutes__Output>
      Destination: MessageTypeDefinition<_tulle_v1_Destination, _tulle_v1_Destination__Output>
      Discovery: SubtypeConstructor<typeof grpc.Client, _tulle_v1_DiscoveryClient> & { service: _tulle_v1_DiscoveryDefinition }
      EdgeTraffic: MessageTypeDefinition<_tulle_v1_EdgeTraffic, _tulle_v1_EdgeTraffic__Output>
      Endpoint: MessageTypeDefinition<_tulle_v1_Endpoint, _tulle_v1_Endpoint__Output>
      EndpointState: EnumTypeDefinition
      Endpoints: MessageTypeDefinition<_tulle_v1_Endpoints, _tulle_v1_Endpoints__Output>
      FailureCount: EnumTypeDefinition
      FailureKind: EnumTypeDefinition
      FaultAbort: MessageTypeDefinition<_tulle_v1_FaultAbort, _tulle_v1_FaultAbort__Output>
      FaultDelay: MessageTypeDefinition<_tulle_v1_FaultDelay, _tulle_v1_FaultDelay__Output>
      FaultPolicy: MessageTypeDefinition<_tulle_v1_FaultPolicy, _tulle_v1_FaultPolicy__Output>
      HeaderEdits: MessageTypeDefinition<_tulle_v1_HeaderEdits, _tulle_v1_HeaderEdits__Output>
      HeaderField: MessageTypeDefinition<_tulle_v1_HeaderField, _tulle_v1_HeaderField__Output>
      Hello: MessageTypeDefinition<_tulle_v1_Hello, _tulle_v1_Hello__Output>
      IdempotencyRules: MessageTypeDefinition<_tulle_v1_IdempotencyRules, _tulle_v1_IdempotencyRules__Output>
      Inbound: MessageTypeDefinition<_tulle_v1_Inbound, _tulle_v1_Inbound__Output>
      InboundPort: MessageTypeDefinition<_tulle_v1_InboundPort, _tulle_v1_InboundPort__Output>
      KnownKeys: MessageTypeDefinition<_tulle_v1_KnownKeys, _tulle_v1_KnownKeys__Output>
      LoggedRequests: EnumTypeDefinition
      Nack: MessageTypeDefinition<_tulle_v1_Nack, _tulle_v1_Nack__Output>
      NamespaceMatch: MessageTypeDefinition<_tulle_v1_NamespaceMatch, _tulle_v1_NamespaceMatch__Output>
      PathMatch: MessageTypeDefinition<_tulle_v1_PathMatch, _tulle_v1_PathMatch__Output>
      PathRewrite: MessageTypeDefinition<_tulle_v1_PathRewrite, _tulle_v1_PathRewrite__Output>
      PortPolicies: MessageTypeDefinition<_tulle_v1_PortPolicies, _tulle_v1_PortPolicies__Output>
      Protocol: EnumTypeDefinition
      RateLimit: MessageTypeDefinition<_tulle_v1_RateLimit, _tulle_v1_RateLimit__Output>
      RateLimitBy: EnumTypeDefinition
      RateLimits: MessageTypeDefinition<_tulle_v1_RateLimits, _tulle_v1_RateLimits__Output>
      Redirect: MessageTypeDefinition<_tulle_v1_Redirect, _tulle_v1_Redirect__Output>
      Refusal: MessageTypeDefinition<_tulle_v1_Refusal, _tulle_v1_Refusal__Output>
      ReportedSpan: MessageTypeDefinition<_tulle_v1_ReportedSpan, _tulle_v1_ReportedSpan__Output>
      Resource: MessageTypeDefinition<_tulle_v1_Resource, _tulle_v1_Resource__Output>
      ResourceKind: EnumTypeDefinition
      ResourceName: MessageTypeDefinition<_tulle_v1_ResourceName, _tulle_v1_ResourceName__Output>
      RetryBudget: MessageTypeDefinition<_tulle_v1_RetryBudget, _tulle_v1_RetryBudget__Output>
      RetryCondition: EnumTypeDefinition
      RetryPolicy: MessageTypeDefinition<_tulle_v1_RetryPolicy, _tulle_v1_RetryPolicy__Output>
      Rewrite: MessageTypeDefinition<_tulle_v1_Rewrite, _tulle_v1_Rewrite__Output>
      Route: MessageTypeDefinition<_tulle_v1_Route, _tulle_v1_Route__Output>
      RouteFilter: MessageTypeDefinition<_tulle_v1_RouteFilter, _tulle_v1_RouteFilter__Output>
      RouteMatch: MessageTypeDefinition<_tulle_v1_RouteMatch, _tulle_v1_RouteMatch__Output>
      RouteMirror: MessageTypeDefinition<_tulle_v1_RouteMirror, _tulle_v1_RouteMirror__Output>
      ServiceLatency: MessageTypeDefinition<_tulle_v1_ServiceLatency, _tulle_v1_ServiceLatency__Output>
      ServiceRef: MessageTypeDefinition<_tulle_v1_ServiceRef, _tulle_v1_ServiceRef__Output>
      SidecarMessage: MessageTypeDefinition<_tulle_v1_SidecarMessage, _tulle_v1_SidecarMessage__Output>
      SpanAttribute: MessageTypeDefinition<_tulle_v1_SpanAttribute, _tulle_v1_SpanAttribute__Output>
      Sticky: MessageTypeDefinition<_tulle_v1_Sticky, _tulle_v1_Sticky__Output>
      StickyBy: EnumTypeDefinition
      StoreFailure: EnumTypeDefinition
      Subscribe: MessageTypeDefinition<_tulle_v1_Subscribe, _tulle_v1_Subscribe__Output>
      Subscription: MessageTypeDefinition<_tulle_v1_Subscription, _tulle_v1_Subscription__Output>
      TimeoutPolicy: MessageTypeDefinition<_tulle_v1_TimeoutPolicy, _tulle_v1_TimeoutPolicy__Output>
      TrafficReport: MessageTypeDefinition<_tulle_v1_TrafficReport, _tulle_v1_TrafficReport__Output>
      Unsubscribe: MessageTypeDefinition<_tulle_v1_Unsubscribe, _tulle_v1_Unsubscribe__Output>
      Update: MessageTypeDefinition<_tulle_v1_Update, _tulle_v1_Update__Output>
      ValueMatch: MessageTypeDefinition<_tulle_v1_ValueMatch, _tulle_v1_ValueMatch__Output>
      WeightedBackend: MessageTypeDefinition<_tulle_v1_WeightedBackend, _tulle_v1_WeightedBackend__Output>
    }
  }
}

