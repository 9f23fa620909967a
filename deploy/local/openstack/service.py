"""Run one OpenStack service, its API and its workers, in this process: `service.py NAME`.

The API and its workers share one process because oslo.messaging's `fake` driver then delivers between them in memory,
and no broker has to run. Each function below imports its service only when it is that one's turn.
"""

import os
import resource
import signal
import sys
import threading
import time
import traceback

import lazy_begin
from serving import serve

KEEP = []
"""Workers, kept from the garbage collector for the life of the process."""


def port(name):
    """Return the TCP port of a service."""
    return int(os.environ[f"STOKER_PORT_{name}"])


def keystone():
    """Run Keystone and Placement; Placement has a configuration object of its own, so they fit in one process."""
    sys.argv = ["keystone"]
    from keystone.common.sql import core

    # Deleting a user counts on the database to delete the roles of its application credentials. Where they stay, the
    # next application credential gets the same number and meets them: 409.
    core.enable_sqlite_foreign_key()
    from keystone.wsgi.api import application

    _bootstrap()
    sys.argv = ["placement"]
    from placement.wsgi.api import application as placement_application

    serve(placement_application, "placement", port("PLACEMENT"))
    # One thread: its middleware keeps the token of the request in a field of its own, where another thread's request
    # finds it, and answers with the wrong user's roles (measured with Keystone 30.0.0: 110 of 1,100 requests).
    serve(application, "keystone", port("KEYSTONE"), threads=1)


def _bootstrap():
    """Make sure of the administrator and the identity endpoint; does nothing the second time."""
    from keystone.cmd.bootstrap import Bootstrapper
    from keystone.server import backends

    # The application has loaded the backends and locked their registry; the bootstrapper would load them again.
    backends.load_backends = lambda: None
    url = f"http://127.0.0.1:{port('KEYSTONE')}/v3"
    bootstrapper = Bootstrapper()
    bootstrapper.admin_username = bootstrapper.project_name = bootstrapper.admin_role_name = "admin"
    bootstrapper.admin_password = os.environ["STOKER_ADMIN_PASSWORD"]
    bootstrapper.service_name = "keystone"
    bootstrapper.public_url = bootstrapper.internal_url = bootstrapper.admin_url = url
    bootstrapper.region_id = "RegionOne"
    bootstrapper.bootstrap()


def glance():
    """Run the image API; it has no workers."""
    sys.argv = ["glance-api"]
    from glance.wsgi.api import application

    serve(application, "glance", port("GLANCE"))


def neutron():
    """Run the network API; no agents, since `local_binding` binds the ports."""
    sys.argv = ["neutron-api"]
    from neutron.wsgi.api import application

    serve(application, "neutron", port("NEUTRON"))


def nova():
    """Run the compute API, conductor, scheduler and one compute host with the fake driver."""
    sys.argv = ["nova-all"]
    from nova import monkey_patch

    monkey_patch.patch(backend="threading")
    from nova.wsgi.osapi_compute import application  # isort: skip  # parses the configuration
    import os_vif
    from nova import context, objects, service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler
    from nova.scheduler.client import report

    # At every claim Nova fetches the allocations of each machine on the host, in case their providers have to be
    # rearranged, which never happens here. With all machines on one host, n of them would cost n² requests.
    report.SchedulerReportClient.get_allocations_for_provider_tree = lambda *_: {}
    objects.register_all()
    os_vif.initialize()
    objects.Service.enable_min_version_cache()
    _wait_for_service_user("nova")
    for binary, topic, options in (
        ("nova-conductor", conductor.RPC_TOPIC, {}),
        ("nova-scheduler", scheduler.RPC_TOPIC, {}),
        ("nova-compute", compute.RPC_TOPIC, {"topic_alt": compute.RPC_TOPIC_ALT}),
    ):
        KEEP.append(service.Service.create(binary=binary, topic=topic, **options))
        KEEP[-1].start()
    host_mapping.discover_hosts(context.get_admin_context())
    serve(application, "nova", port("NOVA"))


def _wait_for_service_user(name):
    """Wait until the seed has made this service's user: nova-compute exits when Placement answers 401."""
    from keystoneauth1 import exceptions, session
    from keystoneauth1.identity import v3

    auth = v3.Password(
        f"http://127.0.0.1:{port('KEYSTONE')}/v3",
        username=name,
        password=os.environ["STOKER_SERVICE_PASSWORD"],
        project_name="service",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    for _ in range(600):
        try:
            auth.get_access(session.Session())
        except exceptions.ClientException:
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"user {name} cannot log in to Keystone")


def heat():
    """Run the orchestration API and its engine."""
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    import oslo_i18n

    oslo_i18n.enable_lazy()
    from heat.common import config, crypt, messaging  # noqa: F401  crypt registers auth_encryption_key
    from heat.engine import service, template
    from heat.rpc import api
    from oslo_config import cfg
    from oslo_log import log

    # The engine's options must be registered, hence its modules imported, before the configuration is read.
    log.register_options(cfg.CONF)
    # The program's name is also the name of its pipeline in api-paste.ini.
    cfg.CONF(["--config-file", os.environ["STOKER_HEAT_CONFIG"]], project="heat", prog="heat-api")
    log.setup(cfg.CONF, "heat-api")
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()
    template._get_template_extension_manager()
    KEEP.append(service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC))
    KEEP[-1].start()
    name = os.environ["STOKER_HEAT_NAME"]
    serve(config.load_paste_app(), name, port(name.upper().replace("-", "_")))


def cinder():
    """Run the block storage API, scheduler and one volume backend with the fake driver."""
    from cinder import monkey_patch

    monkey_patch.patch()
    sys.argv = ["cinder-all", "--config-file", os.environ["STOKER_CINDER_CONFIG"]]
    from cinder.cmd import volume  # isort: skip  # registers options, so it comes before the configuration is read
    from cinder.wsgi import wsgi

    application = wsgi.initialize_application()
    from cinder import service
    from cinder.common import constants
    from oslo_config import cfg

    KEEP.append(service.Service.create(binary=constants.SCHEDULER_BINARY))
    for name in cfg.CONF.enabled_backends:
        cfg.CONF.register_opt(volume.host_opt, group=name)
        options = {"service_name": name, "binary": constants.VOLUME_BINARY, "coordination": True}
        KEEP.append(service.Service.create(host=f"{cfg.CONF.host}@{name}", **options))
    for worker in KEEP:
        worker.start()
    serve(application, "cinder", port("CINDER"))


SERVICES = {
    "keystone": keystone,
    "glance": glance,
    "neutron": neutron,
    "nova": nova,
    "cinder": cinder,
    "heat": heat,
    "heat-trusts": heat,
}


def main():
    """Start the service named on the command line and stay until SIGTERM."""
    lazy_begin.install()
    # A login shell often allows 1,024 open files, which Heat would use up with 100 stacks.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        SERVICES[sys.argv[1]]()
    except BaseException:
        # Workers that have started already are not daemons, and would keep a half-started service alive.
        traceback.print_exc()
        os._exit(1)
    # Set last: the services install handlers of their own, which wait for work in progress. The databases survive
    # a sudden end, and a fast `down` and `reset` matter more here.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Event().wait()


if __name__ == "__main__":
    main()
