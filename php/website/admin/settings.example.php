<?php

declare(strict_types=1);

/*
 * Part of cr0sync. Who may use the admin pages, and of which installation. Copy this file to settings.php beside it,
 * let root own it, and keep one of the two ways in. Without settings.php, or with neither, nobody comes in. Nobody does
 * either where the user of the pages, his group or others may write or exchange it: README.md, Admin pages.
 */

return [
    // The website's own login: this is called for each request, and may start the site's session, as here. It says
    // - the name of an administrator, who comes in,
    // - false for somebody who is logged in and may not come in: a page says so, and what to do,
    // - null for nobody: the visitor is sent to the login.
    'admin' => static function (): string|false|null {
        session_start();
        if (!isset($_SESSION['username']) && !isset($_SESSION['is_admin'])) {
            return null;
        }

        return ($_SESSION['is_admin'] ?? false) === true ? (string) ($_SESSION['username'] ?? 'admin') : false;
    },
    // Where people log in to the website; who is nobody yet is sent there. null: they are refused.
    'login_url' => '/login.php',

    // Or a password of its own, as a hash: php -r 'echo password_hash(trim(fgets(STDIN)), PASSWORD_DEFAULT), "\n";'
    // 'password_hash' => '$2y$12$...',

    // The configuration and the root of the installation, where they are not the ones that PHP's ini settings
    // cr0sync.config and cr0sync.root name.
    // 'config' => '/data/cr0_system/cr0sync.json',
    // 'root' => '/data/cr0_system',
];
