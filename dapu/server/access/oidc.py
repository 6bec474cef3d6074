"""Logins by OpenID Connect: the code flow with PKCE, state and nonce, by Authlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dapu.errors import ConfigurationError, DapuError
from dapu.tls import client_context
from dapu.warehouse.login_settings import Oidc


@dataclass(frozen=True)
class Known:
    """Whom the provider knows."""

    name: str
    groups: list[str]


class Provider:
    """Sends people to their provider, and knows them when they come back."""

    def __init__(self, settings: Oidc, back: str) -> None:
        try:
            from authlib.integrations.starlette_client import OAuth
        except ImportError as error:
            raise ConfigurationError(
                f"`oidc` needs more packages ({error.name}): pip install 'dapu[oidc]'"
            ) from None
        self._settings, self._back = settings, back
        secret = settings.client_secret
        oauth = OAuth()
        self._client: Any = oauth.register(
            "provider",
            client_id=settings.client_id,
            client_secret=secret.get_secret_value() if secret else None,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": settings.scope,
                "code_challenge_method": "S256",
                "timeout": 10,
                "verify": client_context(),
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def send(self, request: Request) -> Response:
        """To the provider. Raises DapuError when that does not answer."""
        import httpx

        try:
            answer: Response = await self._client.authorize_redirect(request, self._back)
        except (httpx.HTTPError, ValueError, RuntimeError) as error:
            raise DapuError(f"the provider of logins does not answer as it must: {error}") from None
        return answer

    async def known(self, request: Request) -> Known:
        """Who came back. Raises DapuError where the provider's word does not hold."""
        import httpx
        from authlib.common.errors import AuthlibBaseError
        from joserfc.errors import JoseError

        try:
            token = await self._client.authorize_access_token(request)
        except (AuthlibBaseError, JoseError, httpx.HTTPError, ValueError, RuntimeError) as error:
            raise DapuError(f"the provider's answer is refused: {error}") from None
        return _known(token.get("userinfo"), self._settings)


def _known(claims: Any, settings: Oidc) -> Known:
    if not claims:
        raise DapuError("the provider's answer is refused: it has no id_token")
    name = claims.get(settings.name)
    if not isinstance(name, str) or not name:
        raise DapuError(f"the provider does not say who it is: there is no claim `{settings.name}`")
    if settings.name == "email" and claims.get("email_verified") is not True:
        raise DapuError("the provider has not verified the address: `email_verified` is not true")
    groups = claims.get(settings.groups) or []
    listed = groups if isinstance(groups, list) else [groups]
    return Known(name, [str(group) for group in listed][:200])
