import { ApiRoute, BODY_PROBLEMS } from '@malipo/kit/http/openapi'
import {
  ApiAcceptedResponse,
  ApiBody,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiParam,
} from '@nestjs/swagger'
import { PROBLEMS, TOKEN_PROBLEMS } from '../problems.js'
import { AttemptDetailDto, AttemptDto, AttemptPageDto, ProposalDto } from './attempts.dto.js'
import { ResolveDto } from './resolve.dto.js'

const ApiId = () => ApiParam({ name: 'id', schema: { type: 'string', format: 'uuid' } })
const ApiProposalId = () =>
  ApiParam({ name: 'proposalId', schema: { type: 'string', format: 'uuid' } })

const OF_ATTEMPT = [...TOKEN_PROBLEMS, PROBLEMS.noAttempt]
const RESOLVING = [
  ...BODY_PROBLEMS,
  ...OF_ATTEMPT,
  PROBLEMS.ownPayment,
  PROBLEMS.attemptChanged,
  PROBLEMS.transactionUsed,
]

export const ListDocs = () =>
  ApiRoute(
    {
      summary: 'List attempts',
      description: 'Requests for money to providers, newest first. Needs `payments:admin`.',
      problems: TOKEN_PROBLEMS,
    },
    ApiOkResponse({ type: AttemptPageDto }),
  )

export const GetDocs = () =>
  ApiRoute(
    {
      summary: 'Get an attempt',
      description:
        'With its events, its next call, and its messages without their bodies. Needs `payments:admin`.',
      problems: OF_ATTEMPT,
    },
    ApiId(),
    ApiOkResponse({ type: AttemptDetailDto }),
  )

export const QueryDocs = () =>
  ApiRoute(
    {
      summary: 'Query an attempt now',
      description:
        'The provider is asked for the charge as soon as its rate allows. An ended attempt is queried too. Needs `payments:admin`.',
      problems: [...OF_ATTEMPT, PROBLEMS.attemptState],
    },
    ApiId(),
    ApiAcceptedResponse({ type: AttemptDto }),
  )

export const ResolveDocs = () =>
  ApiRoute(
    {
      summary: 'Resolve an attempt',
      description:
        'Ends the attempt by the word of an operator or, without `outcome`, clears its attention. In live, the answer is a proposal, which another operator confirms within 24 hours. Needs `payments:admin`.',
      problems: [...RESOLVING, PROBLEMS.attemptState],
    },
    ApiId(),
    ApiBody({ type: ResolveDto }),
    ApiOkResponse({ type: AttemptDto, description: 'In the sandbox: the resolved attempt' }),
    ApiAcceptedResponse({ type: ProposalDto, description: 'In live: the proposal' }),
  )

export const ConfirmDocs = () =>
  ApiRoute(
    {
      summary: 'Confirm a proposal',
      description:
        'The body repeats the content of the proposal of another operator. A proposal is void once its attempt has changed. Needs `payments:admin`.',
      problems: [
        ...RESOLVING,
        PROBLEMS.ownProposal,
        PROBLEMS.noProposal,
        PROBLEMS.proposalEnded,
        PROBLEMS.otherProposal,
      ],
    },
    ApiId(),
    ApiProposalId(),
    ApiBody({ type: ResolveDto }),
    ApiOkResponse({ type: AttemptDto }),
  )

export const CancelDocs = () =>
  ApiRoute(
    {
      summary: 'Cancel your own proposal',
      description: 'Needs `payments:admin`.',
      problems: [...OF_ATTEMPT, PROBLEMS.ownProposal, PROBLEMS.noProposal, PROBLEMS.proposalEnded],
    },
    ApiId(),
    ApiProposalId(),
    ApiNoContentResponse({ description: 'The proposal is cancelled' }),
  )
