// The health of the door, as gRPC's own tools ask for it.

import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect'

import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../gen/grpc/health/v1/health_pb.js'

/**
 * @param services the names of the services that are served
 * @param closing fires when the door closes
 */
export function healthService(
  services: readonly string[],
  closing: AbortSignal,
): ServiceImpl<typeof Health> {
  const statusOf = (service: string) => {
    if (service !== '' && !services.includes(service)) return undefined
    return closing.aborted ? Status.NOT_SERVING : Status.SERVING
  }
  return {
    check({ service }) {
      const status = statusOf(service)
      if (status !== undefined) return { status }
      throw new ConnectError(`There is no service ${service}.`, Code.NotFound)
    },

    async *watch({ service }, { signal }) {
      const status = statusOf(service)
      yield { status: status ?? Status.SERVICE_UNKNOWN }
      await new Promise<void>(resolve => {
        for (const end of [signal, closing]) {
          end.addEventListener('abort', () => resolve(), { once: true })
          if (end.aborted) resolve()
        }
      })
      if (!signal.aborted && status !== undefined) yield { status: Status.NOT_SERVING }
    },
  }
}
