import type { Provider, Type } from '@nestjs/common'
import { AttemptsController } from './attempts.controller.js'
import { MessagesController } from './messages.controller.js'
import { OperatorAttempts } from './operator-attempts.service.js'
import { Replays } from './replays.service.js'
import { Resolutions } from './resolutions.service.js'

/** The API of operators. */
export const OPERATOR_PROVIDERS: Provider[] = [OperatorAttempts, Resolutions, Replays]

export const OPERATOR_CONTROLLERS: Type[] = [AttemptsController, MessagesController]
