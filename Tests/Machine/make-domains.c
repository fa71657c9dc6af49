/*
 * make-domains N: makes N domains that exist, and are nothing else: without memory or a kernel,
 * never started, not introduced. C xenstored takes no permission for a domain that does not exist.
 */
#include <stdio.h>
#include <stdlib.h>
#include <xenctrl.h>

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0;
	xc_interface *xen = xc_interface_open(NULL, NULL, 0);

	if (count < 1 || !xen) {
		fprintf(stderr, "usage: make-domains NUMBER, in dom0\n");
		return 2;
	}
	for (int i = 0; i < count; i++) {
		struct xen_domctl_createdomain settings = {
			.max_vcpus = 1,
			.max_evtchn_port = -1,
			.max_grant_frames = 1,
			.max_maptrack_frames = 1,
			.grant_opts = XEN_DOMCTL_GRANT_version(1),
		};
		uint32_t domain = 0;

		if (xc_domain_create(xen, &domain, &settings)) {
			perror("make-domains: xc_domain_create");
			return 1;
		}
		printf("%u\n", domain);
	}
	return 0;
}
