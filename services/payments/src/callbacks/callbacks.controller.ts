import { PublicBySignature } from '@malipo/kit/http/access'
import { RawBody } from '@malipo/kit/http/raw-body'
import type { Request } from '@malipo/kit/http/request'
import { SecretParameters } from '@malipo/kit/http/secret-path'
import { Controller, HttpCode, Post, Put, Req, Res } from '@nestjs/common'
import { ApiTags } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { CallbackApplier } from './callback-applier.js'
import { CallbackGuard, Target } from './callback.guard.js'
import type { CallbackTarget } from './callback-target.js'
import { AccountCallbackDocs, AttemptCallbackDocs } from './callbacks.docs.js'
import { CallbacksService } from './callbacks.service.js'

/** 1,000 open callbacks of an account wait for a database that fails over for 5 s, at 200 a second. */
const RAW = { limitBytes: 65_536, key: 'account', maxOpenPerKey: 1_000 }

@ApiTags('callbacks')
@Controller('api/payments/webhook')
export class CallbacksController {
  constructor(
    private readonly callbacks: CallbacksService,
    private readonly applier: CallbackApplier,
  ) {}

  @Post(':account/:attempt/:nonce')
  @HttpCode(200)
  @PublicBySignature(CallbackGuard)
  @SecretParameters('attempt', 'nonce')
  @RawBody(RAW)
  @AttemptCallbackDocs()
  post(
    @Target() target: CallbackTarget,
    @Req() request: Request,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.receive(target, request, reply)
  }

  /** MTN sends some callbacks by PUT. */
  @Put(':account/:attempt/:nonce')
  @PublicBySignature(CallbackGuard)
  @SecretParameters('attempt', 'nonce')
  @RawBody(RAW)
  @AttemptCallbackDocs()
  put(
    @Target() target: CallbackTarget,
    @Req() request: Request,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.receive(target, request, reply)
  }

  @Post(':account')
  @HttpCode(200)
  @PublicBySignature(CallbackGuard)
  @RawBody(RAW)
  @AccountCallbackDocs()
  postToAccount(
    @Target() target: CallbackTarget,
    @Req() request: Request,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.receive(target, request, reply)
  }

  /** @returns the JSON that the provider expects, or nothing */
  private async receive(target: CallbackTarget, request: Request, reply: FastifyReply) {
    const { headers, rawBody: bytes = Buffer.alloc(0) } = request
    const { callback, stored } = await this.callbacks.receive(target, { headers, bytes })
    if (callback.reading.verdict === 'signed' && 'attemptId' in stored) {
      this.applier.applyAfter(reply.raw, callback, stored)
    }
    const { answer } = target.client.adapter.capabilities.callback
    if (answer !== undefined) reply.type('application/json')
    return answer
  }
}
