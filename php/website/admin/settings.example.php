<?php

declare(strict_types=1);

/*
 * Part of cr0sync. Who may use the admin pages, and of which installation. Copy this file to settings.php beside it,
 * let root own it, and keep one of the two ways in. Without settings.php, or with neither, nobody comes in.
 */

return [
    // The website's own login: this is called for each request and says who it is, or null for nobody. It may start the
    // site's session, as here.
    'admin' => static function (): ?string {
        session_start();

        return ($_SESSION['is_admin'] ?? false) === true ? (string) ($_SESSION['username'] ?? 'admin') : null;
    },
    // Where people log in to the website; they are sent there. null: they are refused.
    'login_url' => '/login.php',

    // Or a password of its own, as a hash: php -r 'echo password_hash(trim(fgets(STDIN)), PASSWORD_DEFAULT), "\n";'
    // 'password_hash' => '$2y$12$...',

    // The configuration and the root of the installation, where they are not the ones that PHP's ini settings
    // cr0sync.config and cr0sync.root name.
    // 'config' => '/data/cr0_system/cr0sync.json',
    // 'root' => '/data/cr0_system',
];
