// What does the ingestion service need from its environment?
import { baseConfig, portWithDefault } from '@churnstream/runtime'
import { services } from '@churnstream/topology'
import { z } from 'zod'

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/

const fields = baseConfig.extend({
  HTTP_PORT: portWithDefault(services.ingestion.port),
  /** Who may send what, as `npm run api-key` makes it; without it anybody on this machine may. */
  API_KEYS_FILE: z.string().min(1).optional(),
  /** A key that was taken away is refused after so long. */
  API_KEYS_RELOAD_MS: z.coerce.number().int().min(10).default(5_000),
  /** With it only pseudonyms of players leave this service. */
  PLAYER_ID_KEY_FILE: z.string().min(1).optional(),
  /** Events with an older event time are refused. */
  EVENT_MAX_AGE_DAYS: z.coerce.number().positive().default(400),
  /** Events with an event time further ahead of this service's clock are refused. */
  EVENT_MAX_AHEAD_MINUTES: z.coerce.number().min(0).default(60),
  /** Events that wait for their acknowledgement at most; requests are refused from 80 % on. */
  QUEUE_MAX_EVENTS: z.coerce.number().int().min(2_000).default(20_000),
  /** Events of one player in the long run; what is beyond is deferred. 0: no bound. */
  PLAYER_EVENTS_PER_SECOND: z.coerce.number().min(0).default(50),
  /** Events of one player at once. */
  PLAYER_BURST_EVENTS: z.coerce.number().int().positive().default(500),
  /** Share of the requests without a trace context of their own that are traced. */
  TRACE_SAMPLE_SHARE: z.coerce.number().min(0).max(1).default(0.001),
  /** How often a clock record goes to every partition; 0: never. */
  CLOCK_INTERVAL_MS: z.coerce
    .number()
    .int()
    .refine((ms) => ms === 0 || ms >= 10, 'must be 0 (off) or at least 10')
    .default(20_000),
})

export const config = fields.refine(
  ({ HTTP_HOST, API_KEYS_FILE }) => API_KEYS_FILE !== undefined || loopback.test(HTTP_HOST),
  { path: ['API_KEYS_FILE'], message: 'must be set where others than this machine can call' },
)
