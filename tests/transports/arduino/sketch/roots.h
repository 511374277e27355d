#if defined(ESP8266)
static BearSSL::X509List roots("-----BEGIN CERTIFICATE-----");
#else
static const br_x509_trust_anchor roots[1] = {};
static const size_t roots_count = 1;
#endif
